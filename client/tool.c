/* See tool.h. A tool's flags and words are its kind's fields; foreground.c runs decoy-worker on them. */
#include "client/tool.h"
#include "client/foreground.h"
#include "client/print.h"
#include "client/row.h"
#include "client/submit.h"
#include "common/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { WORDS_TEXT = 160, NAME_TEXT = 64 };

/* The i-th name of "action file", or "". */
static const char *word_name(const char *words, size_t i, char name[NAME_TEXT])
{
    const char *at = words ? words : "";
    for (; i > 0 && *at; i--) {
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    snprintf(name, NAME_TEXT, "%.*s", (int)strcspn(at, " "), at);
    return name;
}

const struct spec_field *tool_word(const struct spec_kind *kind, size_t i)
{
    char name[NAME_TEXT];
    return *word_name(kind->words, i, name) ? spec_field_find(kind, name, NULL) : NULL;
}

static size_t count_words(const char *words)
{
    char name[NAME_TEXT];
    size_t count = 0;
    while (*word_name(words, count, name))
        count++;
    return count;
}

/* "[ls|verify] [FILE]": a word's choices, or its name in capitals; all may be given as flags instead. */
static void describe_words(const struct spec_kind *kind, char text[WORDS_TEXT])
{
    char name[NAME_TEXT];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; used < WORDS_TEXT && *word_name(kind->words, i, name); i++) {
        const struct spec_field *field = spec_field_find(kind, name, NULL);
        bool listed = field->type == SPEC_CHOICE;
        for (char *at = name; *at && !listed; at++)
            *at = (char)toupper((unsigned char)*at);
        used += (size_t)snprintf(text + used, WORDS_TEXT - used, "%s[%s]", i ? " " : "",
                                 listed ? field->choices : name);
    }
}

int tool_do(const struct client *client, const struct spec_kind *kind, json_t *fields, struct err *err)
{
    json_t *result = NULL;
    if (submit_check_fields(kind, fields, err) != 0)
        return EXIT_USAGE;
    int exit_code = foreground_run(kind->name, fields, !client->json, &result, err);
    if (exit_code == EXIT_DONE && client->json)
        print_json(json_incref(result));
    else if (exit_code == EXIT_DONE)
        fputs(row_text(result, "text"), stdout);
    json_decref(result);
    return exit_code;
}

/* Words become the fields that the table names; one that is given as a flag too is refused. */
static int take_words(const struct client *client, const struct spec_kind *kind, json_t *fields,
                      struct err *err)
{
    char name[NAME_TEXT];
    for (size_t i = 0; i < client_words(client); i++) {
        const struct spec_field *field = spec_field_find(kind, word_name(kind->words, i, name), err);
        json_t *value = NULL;
        int code = field ? flag_value(field, client_word(client, i), &value, err) : -EINVAL;
        if (!code && json_object_get(fields, name))
            code = err_set(err, -EINVAL, "%s is given twice: as --%s and as %.200s", name, name,
                           client_word(client, i));
        if (code) {
            json_decref(value);
            return code;
        }
        json_object_set_new(fields, name, value);
    }
    return 0;
}

static int tool_run(struct client *client, struct err *err)
{
    const struct spec_kind *kind = client->verb->flags;
    if (take_words(client, kind, client->given, err) != 0)
        return EXIT_USAGE;
    return tool_do(client, kind, client->given, err);
}

const struct verb *tool_verb(const char *name)
{
    static char words[WORDS_TEXT], help[512];
    static struct verb verb;
    const struct spec_kind *kind = spec_tool_find(name, NULL);
    if (!kind)
        return NULL;
    describe_words(kind, words);
    snprintf(help, sizeof help,
             "Runs here and now, with no daemon; decoy-worker is taken from $DECOY_WORKER, from beside "
             "decoy's own "
             "program, or from $PATH.%s%s%s Ctrl-C stops it and keeps what is finished.",
             kind->use == SPEC_TOOL ? " `decoy submit " : "", kind->use == SPEC_TOOL ? kind->name : "",
             kind->use == SPEC_TOOL ? "` queues it instead, and a pipeline's stage may be of this kind."
                                    : "");
    verb = (struct verb){kind->name,
                         words,
                         kind->summary,
                         help,
                         "{\"v\"} and the members of the result",
                         kind,
                         NULL,
                         0,
                         count_words(kind->words),
                         tool_run};
    return &verb;
}
