/* See help.h. */
#include "client/help.h"
#include "client/print.h"
#include "client/tool.h"
#include "common/str.h"

#include <errno.h>
#include <string.h>

enum { INDENT = 26, HELP_WIDTH = 80 };

static const struct spec_field COMMON_FIELDS[] = {
    {"state", SPEC_OUTPUT,
     .help = "the daemon's directory; otherwise $DECOY_STATE, else ~/.local/state/decoy"},
    {"endpoint", SPEC_INPUT,
     .help = "instead: the endpoint.json of a daemon on another host, which was started with --listen"},
    {"json", SPEC_BOOL, .help = "one JSON object a line, {\"v\": 1, ...}"},
    {"help", SPEC_BOOL, .help = "this text"},
};
static const struct spec_kind COMMON = {"common", "", COMMON_FIELDS,
                                        sizeof COMMON_FIELDS / sizeof *COMMON_FIELDS};

const struct spec_kind *help_common_flags(void)
{
    return &COMMON;
}

const struct verb *help_find_verb(const char *name)
{
    for (const struct verb *verb = VERBS; verb->name; verb++) {
        if (strcmp(verb->name, name) == 0)
            return verb;
    }
    return tool_verb(name);
}

const char *help_hint(const char *word, char text[HINT_SIZE])
{
    const char *names[128];
    size_t count = 0, kinds_count;
    const struct spec_kind *kinds = spec_kinds(&kinds_count), *kind = spec_kind_find(word, NULL);
    for (; VERBS[count].name; count++)
        names[count] = VERBS[count].name;
    for (size_t i = 0; i < kinds_count && count < 128; i++)
        names[count++] = kinds[i].name;
    const char *nearest = kind ? NULL : str_nearest(word, names, count);
    *text = '\0';
    if (kind)
        snprintf(text, HINT_SIZE, ": it is a kind of job, for `decoy submit %s` (--help tells its flags) or a stage of `decoy run FILE`", word);
    else if (nearest)
        snprintf(text, HINT_SIZE, "; did you mean `decoy %s%s`?", help_find_verb(nearest) ? "" : "submit ", nearest);
    return text;
}

/* The kinds that are verbs of the client, or those that are jobs. */
static void help_kinds(FILE *stream, const char *title, bool tools)
{
    size_t count;
    const struct spec_kind *kinds = spec_kinds(&count);
    fputs(title, stream);
    for (size_t i = 0; i < count; i++) {
        if (kinds[i].use == (tools ? SPEC_JOB : SPEC_LOOK))
            continue;
        fprintf(stream, "  %-10s", kinds[i].name);
        print_wrapped(stream, kinds[i].summary, 12, 12, HELP_WIDTH);
    }
}

void help_usage(FILE *stream)
{
    fputs("decoy: can injected galaxies be told from real ones?\n\nusage: decoy VERB [words] [--flags]\n\n",
          stream);
    for (const struct verb *verb = VERBS; verb->name; verb++) {
        fprintf(stream, "  %-12s", verb->name);
        print_wrapped(stream, verb->summary, 14, 14, HELP_WIDTH);
    }
    help_kinds(stream, "\ntools, which need no daemon\n", true);
    fputs("\n`decoy VERB --help` tells more; `decoy up`, `decoy run demo`: the whole way.\n", stream);
}

const char *help_value_word(const struct spec_field *field)
{
    static const char *const WORDS[SPEC_TYPE_MAX] = {"",   "N",    "X",    "TIME",     "TEXT",
                                                     NULL, "PATH", "PATH", "NAME|PATH"};
    if (strcmp(field->name, "ranks") == 0)
        return "N|max";
    bool own = field->choices && (field->type == SPEC_CHOICE || field->type == SPEC_TEXT);
    return own ? field->choices : WORDS[field->type];
}

char *help_limits(const struct spec_field *field)
{
    char limits[80] = "";
    const char *unit = field->unit ? field->unit : field->type == SPEC_SPAN ? "s" : "";
    if (field->least != 0 || field->most != 0)
        snprintf(limits, sizeof limits, "%.10g to %.10g", field->least, field->most);
    CLEANUP(free_ptr) char *range = str_format("%s%s%s", limits, *limits && *unit ? " " : "", unit);
    const char *rest = field->required ? "required" : field->preset;
    if (!rest && !*range)
        return str_format("%s", "");
    return str_format(" (%s%s%s%s)", range, *range && rest ? "; " : "",
                      rest && !field->required ? "default " : "", rest ? rest : "");
}

static void help_fields(const struct spec_kind *kind)
{
    for (size_t i = 0; i < kind->count; i++) {
        const struct spec_field *field = &kind->fields[i];
        const char *word = help_value_word(field);
        CLEANUP(free_ptr) char *name = flag_name(field);
        CLEANUP(free_ptr)
        char *flag = str_format("  %s%s%s%s", name, *word ? " " : "", word,
                                strcmp(field->name, "follow") == 0 ? ", -f" : "");
        CLEANUP(free_ptr) char *limits = help_limits(field);
        CLEANUP(free_ptr) char *text = str_format("%s%s", field->help, limits);
        bool fits = print_columns(flag) < INDENT;
        printf("%-*s", fits ? INDENT : 0, flag);
        if (!fits)
            printf("\n%*s", INDENT, "");
        print_wrapped(stdout, text, INDENT, INDENT, HELP_WIDTH);
    }
}

static void help_title(const char *title, const struct spec_kind *kind)
{
    if (!kind || !kind->count)
        return;
    printf("\n%s%s%s\n", print_color(stdout, COLOR_STRONG), title, print_color(stdout, COLOR_NONE));
    help_fields(kind);
}

static void help_json(const struct verb *verb)
{
    fputs("\n--json: ", stdout);
    print_wrapped(stdout, verb->json, 8, 8, HELP_WIDTH);
}

void help_verb(const struct verb *verb)
{
    bool submit = strcmp(verb->name, "submit") == 0;
    printf("usage: decoy %s%s%s [--flags]\n", verb->name, *verb->words ? " " : "", verb->words);
    print_wrapped(stdout, verb->summary, 0, 0, HELP_WIDTH);
    if (verb->help) {
        putchar('\n');
        print_wrapped(stdout, verb->help, 0, 0, HELP_WIDTH);
    }
    if (submit)
        help_kinds(stdout, "\nkinds (`decoy submit KIND --help` lists the flags of one)\n", false);
    if (submit)
        help_title("options of every job", spec_job_options());
    help_title("flags", verb->flags);
    help_title(verb->selects ? "which jobs" : "what decoyd is told", client_more_flags(verb));
    help_title("flags of every verb", &COMMON);
    help_json(verb);
}

void help_kind(const struct spec_kind *kind, const struct verb *submit)
{
    printf("usage: decoy submit %s [--flags]\n", kind->name);
    print_wrapped(stdout, kind->summary, 0, 0, HELP_WIDTH);
    CLEANUP(free_ptr) char *title = str_format("flags of %s", kind->name);
    help_title(title, kind);
    help_title("options of every job", spec_job_options());
    help_title("flags", submit->flags);
    help_title("flags of every verb", &COMMON);
    help_json(submit);
}

int help_run(struct client *client, struct err *err)
{
    if (client_words(client) == 0) {
        help_usage(stdout);
        return EXIT_DONE;
    }
    const char *word = client_word(client, 0);
    const struct verb *verb = help_find_verb(word);
    const struct spec_kind *kind = verb ? NULL : spec_kind_find(word, NULL);
    if (verb)
        help_verb(verb);
    else if (kind)
        help_kind(kind, help_find_verb("submit"));
    char hint[HINT_SIZE];
    if (!verb && !kind)
        err_set(err, -EINVAL, "%.60s is neither a verb nor a job kind%s", word, help_hint(word, hint));
    return verb || kind ? EXIT_DONE : EXIT_USAGE;
}
