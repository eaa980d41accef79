/* The queue on disk: jobs, what they come after, their events and attempts, in one SQLite database that this
 * process alone has open. Every call returns 0 or a negative errno with a sentence; -ENOSPC is a full disk.
 * Changes are made between store_begin and store_commit; when a call between them fails, roll back. */
#ifndef DECOY_DAEMON_STORE_H
#define DECOY_DAEMON_STORE_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/histogram.h"
#include "proto/message.h"

#include <stdint.h>

struct store;

/* directory must be there. A database of an older version is brought up to this one's, and *from_version (may
 * be NULL) says which it was, 0 without a change; one of a newer version is refused. */
int store_open(struct store **out, const char *directory, int *from_version, struct err *err);
void store_close(struct store *store); /* NULL is fine; an open transaction is rolled back */
CLEANUP_DEFINE(store_close_ptr, struct store, store_close)

int store_begin(struct store *store, struct err *err);
int store_commit(struct store *store, struct err *err);
void store_rollback(struct store *store);

/* How long each commit took. */
const struct histogram *store_commits(const struct store *store);

/* A part of a transaction that may fail by itself: after store_mark either store_keep, or store_rewind, which undoes
 * the part alone. */
int store_mark(struct store *store, struct err *err);
int store_keep(struct store *store, struct err *err);
int store_rewind(struct store *store, struct err *err);

/* Sets row->id, which was never given before. row->life is stored as it is. */
int store_add_job(struct store *store, struct job_row *row, struct err *err);

/* Stores row->life and row->result where the job still is what `before` says; else -ESTALE. */
int store_update_job(struct store *store, const struct job_row *row, const struct job_life *before,
                     struct err *err);

/* Sets event->seq. */
int store_add_event(struct store *store, struct job_event *event, struct err *err);

struct attempt {
    int64_t job;
    int attempt;
    char token[40]; /* a worker's messages must carry it */
    int64_t started_us, ended_us;
    char outcome[16]; /* name of the event that ended it; empty before */
    int exit_status, signal;
    int64_t pid, start_ticks; /* of the session's leader: /proc/PID/stat, field 22 */
    char boot_id[40];
};

int store_add_attempt(struct store *store, const struct attempt *attempt, struct err *err);
int store_end_attempt(struct store *store, const struct attempt *attempt, struct err *err);

/* A visitor may keep what it is given by TAKEing it out of *row; it returns 0 to go on. */
typedef int store_job_visitor(void *context, struct job_row **row);
typedef int store_event_visitor(void *context, const struct job_event *event);
typedef int store_attempt_visitor(void *context, const struct attempt *attempt);

enum store_selection { STORE_LIVE, STORE_ENDED, STORE_ALL };

int store_each_job(struct store *store, enum store_selection selection, store_job_visitor *visit,
                   void *context, struct err *err);
/* Events with seq > after_seq, oldest first, at most limit; job 0: of all jobs. */
int store_each_event(struct store *store, int64_t job, int64_t after_seq, int limit,
                     store_event_visitor *visit, void *context, struct err *err);
int store_each_attempt(struct store *store, int64_t job, store_attempt_visitor *visit, void *context,
                       struct err *err);

/* *row is the caller's; -ENOENT when there is no such job. */
int store_find_job(struct store *store, int64_t id, struct job_row **row, struct err *err);
int store_find_attempt(struct store *store, int64_t job, int number, struct attempt *attempt,
                       struct err *err);

/* The job of a key: *id is 0 when there is none; *same says whether it was asked with this body. */
int store_find_key(struct store *store, const char *key, const char *body, int64_t *id, bool *same,
                   struct err *err);

/* Loads row->fields and row->options. */
int store_load_spec(struct store *store, struct job_row *row, struct err *err);

/* Of the jobs that `job` comes after: how many have not ended, and the first that ended without a success that
 * is asked for (0: none did). */
int store_dependencies(struct store *store, int64_t job, int *unmet, int64_t *broken, struct err *err);

/* Ids of the jobs that come after `job`, and of those with events after a seq; *ids is the caller's. */
int store_dependants(struct store *store, int64_t job, int64_t **ids, size_t *count, struct err *err);
int store_changed_jobs(struct store *store, int64_t after_seq, int64_t **ids, size_t *count, struct err *err);

/* Ids of the jobs that ended before a time, oldest first, at most limit, but for those that a job which has not
 * ended comes after. */
int store_old_jobs(struct store *store, int64_t before_us, int limit, int64_t **ids, size_t *count,
                   struct err *err);

/* Takes a job that has ended, its events and attempts out of the database. */
int store_forget_job(struct store *store, int64_t id, struct err *err);

/* What the daemon remembers of itself. *value is the caller's, NULL where nothing is set; so is a value. */
int store_setting(struct store *store, const char *name, char **value, struct err *err);
int store_set(struct store *store, const char *name, const char *value, struct err *err);

int store_count_states(struct store *store, int64_t counts[JOB_STATE_MAX], struct err *err);

/* The jobs of an array, ended ones too, and the last one's id. */
int store_count_array(struct store *store, int64_t array, int64_t counts[JOB_STATE_MAX], int64_t *last,
                      struct err *err);
int store_last_seq(struct store *store, int64_t *seq, struct err *err);

#endif
