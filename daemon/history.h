/* Changes of jobs as transactions: events and the states they lead to are written together, and only when
 * they are on the disk do the jobs in memory change and listeners hear of it. */
#ifndef DECOY_DAEMON_HISTORY_H
#define DECOY_DAEMON_HISTORY_H

#include "daemon/queue.h"
#include "daemon/store.h"

#include <jansson.h>

struct history;

/* After a commit, once for each event in order. */
typedef void history_listener(void *context, struct job *job, const struct job_event *event);

struct history *history_create(struct store *store, struct queue *queue, history_listener *listener,
                               void *context);
void history_destroy(struct history *history);

/* history_begin, then any number of the others, then history_commit or history_abort. After a failed call
 * only history_abort may follow; a failed history_commit has aborted. */
int history_begin(struct history *history, struct err *err);

/* A new job and all that follows for it at once: submitted, then held, ready or skipped. Takes *row (which is
 * then NULL) and sets its id. */
int history_submit(struct history *history, struct job_row **row, int64_t *id, struct err *err);

/* A part of the change that may fail by itself and holds nothing but history_submit: between history_mark and
 * history_unmark; the latter keeps it, or with keep false undoes it. */
int history_mark(struct history *history, struct err *err);
int history_unmark(struct history *history, bool keep, struct err *err);

/* An event of a job, and what it means for the jobs that come after it. Takes context (may be NULL). */
int history_add(struct history *history, struct job *job, enum job_event_name name, json_t *context,
                struct err *err);

/* The same for `succeeded`, with the job's result. Takes result (may be NULL). */
int history_succeed(struct history *history, struct job *job, json_t *result, struct err *err);

/* Another go for a job that has ended, and for those that were skipped because of it. Refuses
 * with -EBUSY and a sentence one that has not ended, or that a running job comes after. history_settle follows
 * when all of a change are reopened. Takes context. */
int history_reopen(struct history *history, int64_t id, json_t *context, struct err *err);

/* What the reopened jobs become now; -EBUSY and a sentence when one of the `count` ids would be skipped. */
int history_settle(struct history *history, const int64_t *ids, size_t count, struct err *err);

int history_commit(struct history *history, struct err *err);
void history_abort(struct history *history);

/* A transaction of one event. */
int history_one(struct history *history, struct job *job, enum job_event_name name, json_t *context,
                struct err *err);

#endif
