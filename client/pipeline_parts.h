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

#endif
