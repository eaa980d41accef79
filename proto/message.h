/* Bodies of requests and replies (README.md, Verbs): between JSON and the structs of the daemon. */
#ifndef DECOY_PROTO_MESSAGE_H
#define DECOY_PROTO_MESSAGE_H

#include "common/cleanup.h"
#include "common/err.h"
#include "proto/state.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* All that is known of a job for good; the members that may be NULL say so. */
struct job_row {
    int64_t id;
    char *kind;
    char *name, *group, *key, *out; /* may be NULL */
    char *body;                     /* canonical text of what was asked, for the key's sake; may be NULL */
    json_t *fields, *options;       /* resolved; NULL where they were not loaded */
    int64_t *after;                 /* ids of the jobs it comes after */
    size_t after_count;
    int priority, ranks, threads, retries;
    double time_limit_s; /* 0: none */
    bool hold;
    struct job_life life;
    json_t *result; /* may be NULL */
};

void job_row_destroy(struct job_row *row); /* NULL is fine */
CLEANUP_DEFINE(job_row_destroy_ptr, struct job_row, job_row_destroy)

/* Drops fields, options and body, which only starting and showing need; name, out and the numbers stay. */
void job_row_forget_spec(struct job_row *row);

/* One JOB of a submit. `#i` means ids[i] and must be one of the `count` before it. Checked and resolved;
 * *out has no id and a new life yet. *code is the reply's error code. */
int message_parse_job(const json_t *job, const int64_t *ids, size_t count, struct job_row **out,
                      const char **code, struct err *err);

/* ROW, EVENT and the body of an error; new references. progress and metrics may be NULL and stay the
 * caller's. */
json_t *message_row(const struct job_row *row, json_t *progress, json_t *metrics);
json_t *message_event(const struct job_event *event);
json_t *message_error(const char *code, const char *text);

/* A time, count or id of a body: false when it is missing, not an integer or below least. */
bool message_int(const json_t *body, const char *name, int64_t least, int64_t *value);

#endif
