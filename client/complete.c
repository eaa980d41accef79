/* See complete.h. Drawn from the tables, and from the daemon where a job's id is due; a daemon that is not there or does not
 * answer soon costs nothing but its ids. */
#include "client/complete.h"
#include "client/client.h"
#include "client/endpoint.h"
#include "client/help.h"
#include "client/row.h"
#include "client/tool.h"
#include "common/preset.h"
#include "common/str.h"
#include "proto/directory.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_S = 2 };

/* The command line so far, read by the tables. */
struct line {
    const char *prefix; /* of the word that is being typed */
    const struct verb *verb;
    const struct spec_kind *sets[FLAG_SETS_MAX];
    size_t set_count;
    size_t words;                    /* of the verb, before the prefix */
    const struct spec_field *awaits; /* the flag whose value the prefix is; NULL: none */
    const char *state;               /* of --state, borrowed */
    bool only_words;                 /* after -- */
    bool lost;                       /* there is no such verb */
};

static void offer(const struct line *line, const char *text, const char *means)
{
    if (strncmp(text, line->prefix, strlen(line->prefix)) == 0)
        printf("%s\t%s\n", text, means);
}

/* Each of "a|b|c". */
static void offer_choices(const struct line *line, const char *choices, char between)
{
    while (*choices) {
        const char *end = strchrnul(choices, between);
        CLEANUP(free_ptr) char *choice = str_format("%.*s", (int)(end - choices), choices);
        offer(line, choice, "");
        choices = *end ? end + 1 : end;
    }
}

static void offer_presets(const struct line *line, const char *folder)
{
    CLEANUP(free_ptr) char *names = preset_names(folder);
    offer_choices(line, names, '\n');
    puts(":files");
}

/* --- jobs --- */

static json_t *ask_jobs(const struct line *line, bool all)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    CLEANUP(free_ptr) char *state = NULL;
    json_t *answer = NULL,
           *body = json_pack("{sb s[ssss]}", "all", all, "members", "id", "kind", "name", "state");
    bool last;
    if (directory_find(line->state, &state, NULL) != 0 || endpoint_open(&endpoint, state, NULL) != 0) {
        json_decref(body);
        return NULL;
    }
    if (endpoint_ask(endpoint, "list", body, NULL) == 0)
        endpoint_next(endpoint, -1, &answer, &last, NULL);
    return answer;
}

/* Ended jobs too, but for verbs that only those which have not ended take. */
static void offer_jobs(const struct line *line)
{
    static verb_run *const LIVE[] = {cancel_run,     hold_run,    release_run, priority_run,
                                     checkpoint_run, explain_run, wait_run,    watch_run};
    bool all = true;
    for (size_t i = 0; i < sizeof LIVE / sizeof *LIVE; i++)
        all = all && line->verb->run != LIVE[i];
    json_t *answer = ask_jobs(line, all), *cells;
    size_t i;
    json_array_foreach(json_object_get(answer, "jobs"), i, cells)
    {
        const char *name = json_string_value(json_array_get(cells, 2));
        CLEANUP(free_ptr)
        char *id = str_format("%lld", (long long)json_integer_value(json_array_get(cells, 0)));
        CLEANUP(free_ptr)
        char *means = str_format("%s %s%s%s", json_string_value(json_array_get(cells, 1)), name ? name : "",
                                 name ? " " : "", json_string_value(json_array_get(cells, 3)));
        offer(line, id, means);
    }
    json_decref(answer);
}

/* --- words, flags, values --- */

static void offer_kinds(const struct line *line, bool tools)
{
    size_t count;
    const struct spec_kind *kinds = spec_kinds(&count);
    for (size_t i = 0; i < count; i++) {
        if (kinds[i].use != (tools ? SPEC_JOB : SPEC_LOOK))
            offer(line, kinds[i].name, kinds[i].summary);
    }
}

static void offer_verbs(const struct line *line)
{
    for (const struct verb *verb = VERBS; verb->name; verb++)
        offer(line, verb->name, verb->summary);
    offer_kinds(line, true);
}

static void offer_flags(const struct line *line)
{
    for (size_t i = 0; i < line->set_count; i++) {
        for (size_t j = 0; j < line->sets[i]->count; j++) {
            CLEANUP(free_ptr) char *name = flag_name(&line->sets[i]->fields[j]);
            offer(line, name, line->sets[i]->fields[j].help);
        }
    }
}

static void offer_values(const struct line *line, const struct spec_field *field)
{
    if (field->type == SPEC_CHOICE)
        offer_choices(line, field->choices, '|');
    else if (field->type == SPEC_PRESET)
        offer_presets(line, field->choices);
    else if (field->type == SPEC_INPUT || field->type == SPEC_OUTPUT)
        puts(":files");
    else if (strncmp(field->name, "after", 5) == 0 && strcmp(field->name, "after_seq") != 0)
        offer_jobs(line);
    else if (strcmp(field->name, "ranks") == 0)
        offer(line, "max", "all slots");
}

/* What a verb's words may be stands in its table: "ID|DIR", "FILE.yaml|NAME", "[VERB|KIND]". */
static void offer_words(const struct line *line)
{
    const char *words = line->verb->words;
    bool more = line->words < line->verb->most;
    if (tool_verb(line->verb->name)) {
        const struct spec_field *field = tool_word(line->verb->flags, line->words);
        if (field)
            offer_values(line, field);
        return;
    }
    if (more && strstr(words, "VERB"))
        offer_verbs(line);
    if (more && strstr(words, "KIND"))
        offer_kinds(line, false);
    if (more && strstr(words, "ID"))
        offer_jobs(line);
    if (more && strstr(words, "NAME"))
        offer_presets(line, "pipelines");
    else if (more && (strstr(words, "DIR") || strstr(words, "FILE")))
        puts(":files");
}

/* --- reading the line --- */

static void add_set(struct line *line, const struct spec_kind *set)
{
    if (set && line->set_count < FLAG_SETS_MAX)
        line->sets[line->set_count++] = set;
}

static const struct spec_field *find_flag(const struct line *line, const char *word)
{
    for (size_t i = 0; i < line->set_count; i++) {
        for (size_t j = 0; j < line->sets[i]->count; j++) {
            CLEANUP(free_ptr) char *name = flag_name(&line->sets[i]->fields[j]);
            size_t length = strlen(name);
            if (strncmp(word, name, length) == 0 && (word[length] == '\0' || word[length] == '='))
                return &line->sets[i]->fields[j];
        }
    }
    return NULL;
}

/* A word before the last one. */
static void take(struct line *line, const char *word)
{
    if (line->awaits) {
        if (strcmp(line->awaits->name, "state") == 0)
            line->state = word;
        line->awaits = NULL;
    } else if (!line->only_words && strcmp(word, "--") == 0) {
        line->only_words = true;
    } else if (!line->only_words && *word == '-') {
        const struct spec_field *field = find_flag(line, word);
        line->awaits = field && field->type != SPEC_BOOL && !strchr(word, '=') ? field : NULL;
        if (strncmp(word, "--state=", 8) == 0)
            line->state = word + 8;
    } else if (!line->verb) {
        line->verb = help_find_verb(word);
        line->lost = !line->verb;
        add_set(line, line->verb ? line->verb->flags : NULL);
        add_set(line, line->verb ? client_more_flags(line->verb) : NULL);
        add_set(line, line->verb && line->verb->run == submit_run ? spec_job_options() : NULL);
    } else {
        line->words++;
        add_set(line, line->verb->run == submit_run ? spec_kind_find(word, NULL) : NULL);
    }
}

/* Whoever pressed TAB does not wait for a daemon that hangs. */
static void give_up(int number)
{
    (void)number;
    _exit(EXIT_DONE);
}

int complete_main(int count, char **words)
{
    struct line line = {.prefix = count ? words[count - 1] : ""};
    add_set(&line, help_common_flags());
    signal(SIGALRM, give_up);
    alarm(PATIENCE_S);
    for (int i = 0; i + 1 < count && !line.lost; i++)
        take(&line, words[i]);
    const struct spec_field *field = line.only_words ? NULL : find_flag(&line, line.prefix);
    const char *equals = strchr(line.prefix, '=');
    if (!line.awaits && field && equals) { /* --flag=VALUE: the value's part is completed */
        line.prefix = equals + 1;
        line.awaits = field;
    }
    if (line.lost)
        return EXIT_DONE;
    if (line.awaits)
        offer_values(&line, line.awaits);
    else if (*line.prefix == '-' && !line.only_words)
        offer_flags(&line);
    else if (line.verb)
        offer_words(&line);
    else
        offer_verbs(&line);
    return EXIT_DONE;
}
