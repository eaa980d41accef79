/* A command line by tables of fields (proto/spec.h): flags are the fields' names with '-' for '_', given as
 * `--flag value` or `--flag=value`; a bare flag of type yes/no means true. `-h` is --help and `-f` --follow, a
 * negative number is a word;
 * `--` ends the flags. A value that holds {}, {n} or {file} stays text whatever its field's type, for `submit --each`
 * to fill in. Every sentence names the flag. */
#ifndef DECOY_CLIENT_FLAGS_H
#define DECOY_CLIENT_FLAGS_H

#include "common/err.h"
#include "proto/spec.h"

#include <jansson.h>

enum { FLAG_SETS_MAX = 4 };

struct flag_set {
    const struct spec_kind *kind;
    const char *const *repeats; /* NULL-ended names of fields that may come more than once; NULL: none */
    json_t *values;             /* {field: value} of those given; an array for a field that repeats */
};

struct flags {
    const char *command; /* "decoy submit mock", for sentences; borrowed */
    struct flag_set sets[FLAG_SETS_MAX];
    size_t count;
    json_t *words; /* what is no flag, in its order */
};

/* Adds a table; its values are flags->sets[...].values, returned as a borrowed reference. */
json_t *flags_add(struct flags *flags, const struct spec_kind *kind, const char *const *repeats);

/* Reads the arguments; with until_word it stops after the first word. Returns how many arguments it took,
 * or -EINVAL with a sentence. */
int flags_parse(struct flags *flags, int argc, char **argv, bool until_word, struct err *err);
void flags_clear(struct flags *flags);

/* "--time-limit" of a field, in fresh memory. */
char *flag_name(const struct spec_field *field);

/* A job option's or field's text as a value: spec_parse, but `ranks` may be "max". */
int flag_value(const struct spec_field *field, const char *text, json_t **value, struct err *err);

#endif
