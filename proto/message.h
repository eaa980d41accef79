/* Bodies of requests and replies (README.md, Verbs): between JSON and the structs of the daemon. */
#ifndef DECOY_PROTO_MESSAGE_H
#define DECOY_PROTO_MESSAGE_H

#include "common/cleanup.h"
#include "common/err.h"
#include "proto/state.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct job_after {
    int64_t id;
    bool any; /* any end will do; else only success */
};

/* All that is known of a job for good; the members that may be NULL say so. */
struct job_row {
    int64_t id;
    char *kind;
    char *name, *tag, *group, *key, *out; /* may be NULL; tag: words with commas between */
    char *body;               /* canonical text of what was asked, for the key's sake; may be NULL */
    json_t *fields, *options; /* resolved; NULL where they were not loaded */
    struct job_after *after;  /* the jobs it comes after */
    size_t after_count;
    int64_t array; /* id of the first job of its array; 0: it is in none */
    int ranks, threads, retries;
    double backoff_s;    /* before the first retry */
    double time_limit_s; /* 0: none */
    bool hold;
    struct job_life life;
    json_t *result; /* may be NULL */
};

void job_row_destroy(struct job_row *row); /* NULL is fine */
CLEANUP_DEFINE(job_row_destroy_ptr, struct job_row, job_row_destroy)

/* Drops fields, options and body, which only starting and showing need; name, out and the numbers stay. */
void job_row_forget_spec(struct job_row *row);

/* One JOB of a submit. `#i` means ids[i] and must be one of the `count` before it; an array's first job may
 * name itself, which is noted as row->array = -1. Checked and resolved; *out has no id, and a new life that
 * knows its priority. *code is the reply's error code. */
int message_parse_job(const json_t *job, const int64_t *ids, size_t count, struct job_row **out,
                      const char **code, struct err *err);

/* What the daemon knows of a job besides its row; all may be NULL and stay the caller's. */
struct row_extra {
    json_t *progress, *metrics;
    const char *reason; /* instead of the row's own */
};

enum { ROW_MEMBERS_MAX = 32 };

/* Which members of a row are wanted. */
struct row_members {
    size_t indices[ROW_MEMBERS_MAX];
    size_t count;
};

/* An array of names; -EINVAL and a sentence for what is no member. */
int message_members(const json_t *names, struct row_members *members, struct err *err);

/* Only those members' values, written as the text of an array: a list of 10,000 jobs takes a fifth of the time that
 * making and dumping 100,000 values takes. */
void message_write_cells(const struct job_row *row, const struct row_extra *extra, const struct row_members *members, FILE *to);

/* ROW as an object; ids of the jobs it comes after, those that any end satisfies or the others. New references, as all
 * below. */
json_t *message_row(const struct job_row *row, const struct row_extra *extra);
json_t *message_after(const struct job_row *row, bool any);

/* EVENT and the body of an error. */
json_t *message_event(const struct job_event *event);
json_t *message_error(const char *code, const char *text);

/* Whether `tag` (of a row; may be NULL) holds the word. */
bool message_has_tag(const char *tag, const char *word);

/* A time, count or id of a body: false when it is missing, not an integer or below least. */
bool message_int(const json_t *body, const char *name, int64_t least, int64_t *value);

#endif
