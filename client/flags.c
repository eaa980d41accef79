/* See flags.h. Knows no verb and no kind: all it knows of a flag stands in its table. */
#include "client/flags.h"
#include "common/cleanup.h"
#include "common/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static const struct {
    char letter;
    const char *name;
} LETTERS[] = {{'h', "help"}, {'f', "follow"}};

json_t *flags_add(struct flags *flags, const struct spec_kind *kind, const char *const *repeats)
{
    struct flag_set *set = &flags->sets[flags->count++];
    *set = (struct flag_set){kind, repeats, json_object()};
    if (!flags->words)
        flags->words = json_array();
    return set->values;
}

void flags_clear(struct flags *flags)
{
    for (size_t i = 0; i < flags->count; i++)
        json_decref(flags->sets[i].values);
    json_decref(flags->words);
    *flags = (struct flags){0};
}

static void swap_characters(char *text, char from, char to)
{
    for (; *text; text++) {
        if (*text == from)
            *text = to;
    }
}

char *flag_name(const struct spec_field *field)
{
    char *name = str_format("--%s", field->name);
    swap_characters(name + 2, '_', '-');
    return name;
}

int flag_value(const struct spec_field *field, const char *text, json_t **value, struct err *err)
{
    if (strcmp(field->name, "ranks") != 0 || strcmp(text, "max") != 0)
        return spec_parse(field, text, value, err);
    *value = json_string("max");
    return 0;
}

static bool set_repeats(const struct flag_set *set, const char *name)
{
    for (const char *const *at = set->repeats; at && *at; at++) {
        if (strcmp(*at, name) == 0)
            return true;
    }
    return false;
}

/* The field that is called so; the table it is in goes to *set. */
static const struct spec_field *find_field(struct flags *flags, const char *name, struct flag_set **set)
{
    for (size_t i = 0; i < flags->count; i++) {
        *set = &flags->sets[i];
        for (size_t j = 0; j < (*set)->kind->count; j++) {
            if (strcmp((*set)->kind->fields[j].name, name) == 0)
                return &(*set)->kind->fields[j];
        }
    }
    return NULL;
}

static int refuse_unknown(const struct flags *flags, const char *name, struct err *err)
{
    const char *names[128];
    size_t count = 0;
    for (size_t i = 0; i < flags->count; i++) {
        for (size_t j = 0; j < flags->sets[i].kind->count && count < 128; j++)
            names[count++] = flags->sets[i].kind->fields[j].name;
    }
    const char *nearest = str_nearest(name, names, count);
    CLEANUP(free_ptr) char *typed = str_format("%.60s", name);
    CLEANUP(free_ptr) char *meant = nearest ? str_format("did you mean --%s?", nearest) : NULL;
    swap_characters(typed, '_', '-');
    if (meant)
        swap_characters(meant, '_', '-');
    return err_set(err, -EINVAL, "--%s is no flag of `%s`; %s%s%s", typed, flags->command,
                   meant ? meant : "`", meant ? "" : flags->command, meant ? "" : " --help` lists them");
}

/* What --each fills in (each.h). */
static bool has_place(const char *text)
{
    return strstr(text, "{}") || strstr(text, "{n}") || strstr(text, "{file}");
}

static int store_value(struct flag_set *set, const struct spec_field *field, const char *text,
                       struct err *err)
{
    CLEANUP(free_ptr) char *name = flag_name(field);
    struct spec_field named = *field;
    json_t *value = NULL;
    bool max = strcmp(field->name, "ranks") == 0 && strcmp(text, "max") == 0;
    named.name = name;
    int code = 0;
    if (has_place(text))
        value = json_string(text);
    else
        code = flag_value(max ? field : &named, text, &value, err);
    if (code || !value)
        return code ? code : err_set(err, -EINVAL, "%s is not UTF-8", name);
    json_t *present = json_object_get(set->values, field->name);
    if (set_repeats(set, field->name)) {
        if (!present)
            json_object_set_new(set->values, field->name, present = json_array());
        return json_array_append_new(present, value);
    }
    if (!present)
        return json_object_set_new(set->values, field->name, value);
    json_decref(value);
    return err_set(err, -EINVAL, "%s is given twice", name);
}

/* A bare yes/no flag takes the next argument only when that is plainly its value: `wait --json 1` names
 * job 1. */
static bool is_truth(const char *text)
{
    static const char *const WORDS[] = {"true", "false", "yes", "no", "on", "off"};
    for (size_t i = 0; text && i < sizeof WORDS / sizeof *WORDS; i++) {
        if (strcmp(text, WORDS[i]) == 0)
            return true;
    }
    return false;
}

/* One flag, without its dashes, and perhaps the argument after it. Returns how many arguments it took. */
static int read_flag(struct flags *flags, const char *given, const char *next, struct err *err)
{
    const char *equals = strchr(given, '=');
    CLEANUP(free_ptr) char *name = equals ? strndup(given, (size_t)(equals - given)) : strdup(given);
    struct flag_set *set;
    swap_characters(name, '-', '_');
    const struct spec_field *field = find_field(flags, name, &set);
    if (!field)
        return refuse_unknown(flags, name, err);
    const char *text = equals ? equals + 1 : next;
    if (!equals && field->type == SPEC_BOOL && !is_truth(next))
        return store_value(set, field, "true", err) ? -EINVAL : 1;
    if (!text || (!equals && strncmp(text, "--", 2) == 0))
        return err_set(err, -EINVAL, "--%.*s needs a value: %s", (int)strlen(name), given, field->help);
    return store_value(set, field, text, err) ? -EINVAL : equals ? 1 : 2;
}

static int read_letter(struct flags *flags, const char *argument, const char *next, struct err *err)
{
    for (size_t i = 0; i < sizeof LETTERS / sizeof *LETTERS; i++) {
        struct flag_set *set;
        if (argument[1] == LETTERS[i].letter && !argument[2] && find_field(flags, LETTERS[i].name, &set))
            return read_flag(flags, LETTERS[i].name, next, err);
    }
    return err_set(err, -EINVAL, "%.60s is no flag of `%s`; `%s --help` lists them", argument, flags->command,
                   flags->command);
}

int flags_parse(struct flags *flags, int argc, char **argv, bool until_word, struct err *err)
{
    bool only_words = false;
    int i = 0;
    while (i < argc) {
        const char *argument = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
        int taken = 1;
        if (only_words || argument[0] != '-' || !argument[1] || isdigit((unsigned char)argument[1])) {
            json_t *word = json_string(argument);
            if (!word)
                return err_set(err, -EINVAL, "an argument of `%s` is not UTF-8", flags->command);
            json_array_append_new(flags->words, word);
            if (until_word)
                return i + 1;
        } else if (strcmp(argument, "--") == 0) {
            only_words = true;
        } else {
            taken = argument[1] == '-' ? read_flag(flags, argument + 2, next, err)
                                       : read_letter(flags, argument, next, err);
        }
        if (taken < 0)
            return taken;
        i += taken;
    }
    return i;
}
