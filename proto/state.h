/* The life of a job: states, events, and the pure function that applies one to the other.
 *
 *   submitted                 held
 *       |              +---------------------+    requeued, retried
 *       v    held      v                     |  +---------------------+
 *    waiting -----> held                     |  v                     |
 *     |   ^          |                      ready ----------> running ----> succeeded
 *     |   +----------+                       ^  |   started     |  \
 *     |     released              ready      |  |               |   +----> failed
 *     +--------------------------------------+  v               v
 *     |                                     cancelled       cancelled      (also from waiting and held)
 *     +-----> skipped
 *
 *    succeeded, failed, cancelled, skipped ----> waiting    reopened: somebody asked for another go
 *
 * waiting    has a dependency that has not ended yet, or is about to be made ready
 * held       starts only after `released`; may have unmet dependencies
 * ready      dependencies met; starts when it is its turn and slots are free, not before not_before_us
 * running    attempt `attempt` is the only one whose messages count
 * others     the end: nothing follows by itself, ever
 *
 * Replaying a job's events gives its row; the daemon, its restart and the tests use this one function. */
#ifndef DECOY_PROTO_STATE_H
#define DECOY_PROTO_STATE_H

#include "common/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum job_state {
    JOB_NEW, /* before `submitted`; never stored */
    JOB_HELD,
    JOB_WAITING,
    JOB_READY,
    JOB_RUNNING,
    JOB_SUCCEEDED,
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_SKIPPED,
    JOB_STATE_MAX
};

enum job_event_name {
    EVENT_SUBMITTED,
    EVENT_HELD,
    EVENT_RELEASED,
    EVENT_READY,
    EVENT_STARTED,
    EVENT_NOTE,
    EVENT_WARNING,
    EVENT_STOP_ASKED,
    EVENT_REQUEUED,
    EVENT_RETRIED,
    EVENT_SUCCEEDED,
    EVENT_FAILED,
    EVENT_CANCELLED,
    EVENT_SKIPPED,
    EVENT_REOPENED,
    EVENT_PRIORITY_SET,
    EVENT_CHECKPOINT_ASKED,
    EVENT_MAX
};

/* Why a running attempt was asked to stop, weakest first: a later, weaker wish does not replace a stronger.
 */
enum job_stop { STOP_NONE, STOP_SHUTDOWN, STOP_HANG, STOP_TIME_LIMIT, STOP_CANCEL, STOP_MAX };

enum { JOB_REASON_MAX = 256, JOB_PRIORITY_MAX = 1000000 };

struct job_life {
    enum job_state state;
    int attempt;  /* the last one started; 0 before the first */
    int failures; /* attempts that failed, since it was last reopened */
    enum job_stop stop;
    int priority;                               /* higher starts first */
    int64_t submitted_us, started_us, ended_us; /* 0 where there is none; started_us is the last attempt's */
    int64_t not_before_us;                      /* a ready job does not start earlier */
    char reason[JOB_REASON_MAX];                /* why it is where it is; may be empty */
};

/* context (may be NULL) holds what the event's name asks for: "reason", "stop", "not_before_us",
 * "priority" (submitted: 0 without it). */
struct job_event {
    int64_t job, seq, time_us;
    enum job_event_name name;
    enum job_state state; /* after it */
    int attempt;          /* the running or last attempt; of `started` the new one */
    const json_t *context;
};

/* Changes life, or returns -EINVAL (the state does not allow the event) or -ESTALE (it is of another attempt)
 * with a sentence, and changes nothing. Ignores event->state. */
int job_apply(struct job_life *life, const struct job_event *event, struct err *err);

bool job_ended(enum job_state state);
bool job_event_moves(enum job_event_name name); /* whether it can change the state */

/* How an attempt ended. */
struct job_exit {
    bool interrupted; /* the daemon died meanwhile: nobody knows its status */
    int status;       /* exit status when signal is 0 */
    int signal;
};

enum { JOB_EXIT_STOPPED = 75 };

/* The event that ends a running attempt: succeeded, requeued, cancelled, retried or failed. */
enum job_event_name job_outcome(const struct job_life *life, int retries, const struct job_exit *status);

/* Pause before the attempt after `failures` failures: backoff_s, twice that, four times, ... at most an hour,
 * or backoff_s if that is longer. */
double job_retry_delay_s(double backoff_s, int failures);

const char *job_state_name(enum job_state state);
const char *job_event_text(enum job_event_name name);
const char *job_stop_name(enum job_stop stop);

/* The enum of a name, or its _MAX. */
enum job_state job_state_find(const char *name);
enum job_event_name job_event_find(const char *name);
enum job_stop job_stop_find(const char *name);

#endif
