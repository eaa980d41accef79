/* What the parts of a serving decoyd share. One thread, one loop; loop.c makes and ends it. */
#ifndef DECOY_DAEMON_DAEMON_H
#define DECOY_DAEMON_DAEMON_H

#include "common/err.h"
#include "daemon/config.h"
#include "daemon/history.h"
#include "daemon/queue.h"
#include "daemon/slots.h"
#include "daemon/store.h"
#include "daemon/zsock.h"

#include <stdbool.h>
#include <uv.h>

struct submits;    /* submit.h */
struct streams;    /* stream.h */
struct acts;       /* act.h */
struct forgetting; /* forget.h */
struct deadline;   /* deadline.h */
struct metrics;    /* metrics.h */
struct loglimit;   /* loglimit.h */
struct hangs;      /* hang.h */

struct daemon {
    uv_loop_t *loop;
    char *state;  /* the state directory, absolute */
    char *worker; /* path of decoy-worker */
    char host[64];
    double started_s; /* monotonic */
    struct config config;
    struct store *store;
    struct queue *queue;
    struct history *history;
    struct slots slots;
    struct zsock *zsock;
    struct submits *submits;
    struct streams *streams;
    struct acts *acts;
    struct forgetting *forgetting;
    struct deadline *deadline;
    struct metrics *metrics;
    struct loglimit *loglimit;
    struct hangs *hangs;
    bool copied;       /* the state directory is a copy: what runs is its original's */
    char *drained;     /* why it starts no jobs for now ("" without a reason), NULL when it does */
    json_t *recovered; /* ids of the jobs that ran when the daemon before it died */
    bool ending;       /* being shut down: starts nothing */
    bool failed;       /* something that cannot be gone on from: ends with status 1 */
};

/* Says that the daemon cannot go on (a commit that failed) and ends its loop; nothing more is acknowledged.
 */
void daemon_fail(struct daemon *daemon, const struct err *err);

/* Good-order end: running jobs are asked to stop for that reason and put back, then the loop ends. */
void daemon_shut_down(struct daemon *daemon, const char *reason);

/* Whether jobs may start now. */
bool daemon_starts_jobs(const struct daemon *daemon);

/* Called whenever an attempt is over: ends the loop when that was the last one of a shutdown. */
void daemon_check_end(struct daemon *daemon);

#endif
