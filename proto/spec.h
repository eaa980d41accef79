/* Job kinds and their fields: one table from which come the command line's flags, validation, --help and
 * the keys of a pipeline's stages. A spec is a JSON object {field: value}; a resolved spec has every field
 * of its kind (null where an optional field without a default was not given). Flags are the field names
 * with '-' for '_'. Nothing here opens a file. */
#ifndef DECOY_PROTO_SPEC_H
#define DECOY_PROTO_SPEC_H

#include "common/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum spec_type {
    SPEC_BOOL,
    SPEC_INT,
    SPEC_REAL,
    SPEC_SPAN,   /* seconds as a real; text like "15m" or "1:30:00" is accepted */
    SPEC_TEXT,
    SPEC_CHOICE, /* one of `choices` */
    SPEC_INPUT,  /* a path that is read; the client makes it absolute */
    SPEC_OUTPUT, /* a path that is written; the client makes it absolute */
    SPEC_PRESET, /* a name of a file NAME.yaml in etc/`choices`/, or a path to a YAML file of one's own */
    SPEC_TYPE_MAX
};

struct spec_field {
    const char *name;
    enum spec_type type;
    const char *preset;   /* the default as text; NULL: none */
    bool required;
    double least, most;   /* for numbers; both 0: no limits */
    const char *choices;  /* SPEC_CHOICE: "a|b|c"; SPEC_PRESET: the folder in etc/ */
    const char *unit;     /* NULL where there is none */
    const char *help;
};

enum spec_use {
    SPEC_JOB,  /* run by the daemon */
    SPEC_TOOL, /* also a verb of the client, which runs it here and now, without a daemon */
    SPEC_LOOK  /* such a verb only: it has no `out`, so there is nothing to queue it for */
};

struct spec_kind {
    const char *name;
    const char *summary;
    const struct spec_field *fields;
    size_t count;
    enum spec_use use;
    const char *words; /* fields that the verb also takes as words, in this order: "action file"; NULL: none */
};

const struct spec_kind *spec_kinds(size_t *count);

/* The kind of a job, or of a verb of the client's; NULL and a sentence when there is none. */
const struct spec_kind *spec_kind_find(const char *name, struct err *err);
const struct spec_kind *spec_tool_find(const char *name, struct err *err);
const struct spec_field *spec_field_find(const struct spec_kind *kind, const char *name, struct err *err);

/* What every job takes besides its kind's fields (ranks, threads, retries, ...), as one more "kind". */
const struct spec_kind *spec_job_options(void);

/* What a daemon is told at its start (slots, grace, ...), likewise. */
const struct spec_kind *spec_daemon_options(void);

/* A flag's or scalar's text as a checked value; *value is a new reference. 0 or -EINVAL with a sentence. */
int spec_parse(const struct spec_field *field, const char *text, json_t **value, struct err *err);

/* Checks every value of `given` (an object), refuses unknown and missing fields by name, fills defaults.
 * Paths must be absolute. *resolved is a new reference. 0 or -EINVAL with a sentence. */
int spec_resolve(const struct spec_kind *kind, const json_t *given, json_t **resolved, struct err *err);

/* Fields of a resolved spec. A field that is null gives 0, 0.0, false or NULL. */
bool spec_bool(const json_t *spec, const char *name);
long spec_int(const json_t *spec, const char *name);
double spec_real(const json_t *spec, const char *name);
const char *spec_text(const json_t *spec, const char *name); /* borrowed from spec */

#endif
