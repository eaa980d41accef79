/* The jobs that have not ended, in memory, by id; and which of them starts next: by priority, then in order
 * of submission, without overtaking, so that a job that needs many slots is not starved by small ones. */
#ifndef DECOY_DAEMON_QUEUE_H
#define DECOY_DAEMON_QUEUE_H

#include "proto/message.h"

#include <stddef.h>
#include <stdint.h>

struct run; /* run.h */

struct job {
    struct job_row *row;
    struct run *run;   /* the attempt that is running, or NULL */
    uint64_t revision; /* of its last visible change (watch.h) */
    bool listed;         /* among the ready ones (queue.c), */
    int listed_priority; /* by this priority */
};

struct slots; /* slots.h */
struct queue;

struct queue *queue_create(void); /* aborts when memory is out */
void queue_destroy(struct queue *queue);

/* Takes row, whose id is in the queue not yet. */
struct job *queue_add(struct queue *queue, struct job_row *row);

/* To be called when the state or the priority of a job has changed. */
void queue_changed(struct queue *queue, struct job *job);

struct job *queue_find(struct queue *queue, int64_t id); /* NULL: none, or ended and forgotten */
struct job *queue_at(struct queue *queue, size_t index); /* in order of id; NULL past the end */

/* The ready job that is first in order among those whose time has come; NULL when there is none. *wake_us is
 * the earliest not_before of those before it, 0 without any. Jobs that need more than `slots` (the daemon was
 * started anew with fewer) are passed over. */
struct job *queue_next(struct queue *queue, const struct slots *slots, int64_t now_us, int64_t *wake_us);

/* Forgets the ended jobs; pointers to them are void. */
void queue_forget_ended(struct queue *queue);

#endif
