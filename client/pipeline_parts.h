/* The inside of a pipeline, for pipeline.c, which reads it, and plan.c, which makes its jobs. */
#ifndef DECOY_CLIENT_PIPELINE_PARTS_H
#define DECOY_CLIENT_PIPELINE_PARTS_H

#include "client/pipeline.h"
#include "proto/spec.h"

#include <stdbool.h>
#include <stddef.h>

enum need { NEED_NOTHING, NEED_END, NEED_SUCCESS };

enum mark { UNSEEN, OPEN, PLACED };

struct stage {
    const char *name; /* borrowed from the document, as body is */
    json_t *body;
    const struct spec_kind *kind;
    json_t *out; /* a string */
    json_t *fields, *options;
    enum need *needs; /* by index of stage */
    enum mark mark;
    size_t position; /* in the submit */
};

struct pipeline {
    char *path;
    json_t *document; /* as the file has it */
    json_t *params;   /* with what was set */
    char *name;
    struct stage *stages;
    size_t count;
    size_t placed; /* during pipeline_plan */
};

/* "; did you mean X?" among the keys of an object and the names of stages, or "". Either may be empty. */
void pipeline_hint(char text[96], const char *word, const json_t *keys, const struct stage *stages,
                   size_t count);

/* One value by the rules of its field; takes value. *checked is a new reference, NULL for a value that is not given
 * (null). Paths become absolute. */
int pipeline_check_value(const struct spec_field *field, json_t *value, json_t **checked, struct err *err);

/* The field of a table by this name, or NULL. */
const struct spec_field *pipeline_field(const struct spec_kind *kind, const char *name);

/* -EINVAL: the kind has no such field, nor have all jobs; takes `known`, an object whose keys may be meant too. */
int pipeline_refuse_field(const struct spec_kind *kind, const char *name, json_t *known, struct err *err);

#endif
