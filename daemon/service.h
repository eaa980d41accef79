/* The verbs of decoyd: a message comes in, is checked, does one thing, and is answered. */
#ifndef DECOY_DAEMON_SERVICE_H
#define DECOY_DAEMON_SERVICE_H

#include "daemon/daemon.h"
#include "proto/frame.h"

/* What a verb is given. It sets *answer (a new reference; NULL: a stream answers, or nobody) or fails with
 * one of README.md's codes in *code ("internal" unless it says otherwise) and a sentence. */
struct call {
    struct daemon *daemon;
    const struct peer *peer;
    const struct request *request;
    const json_t *body;
    json_t *answer;
    char *text; /* instead of *answer: the answer as it is sent; call_answer frees it */
    const char *code;
};

typedef int verb_run(struct call *call, struct err *err);
verb_run verb_hello, verb_status, verb_prometheus, verb_shutdown, verb_drain, verb_resume, verb_forget; /* control.c */
verb_run verb_cancel, verb_hold, verb_release, verb_priority, verb_checkpoint, verb_retry,
    verb_rerun;                                                               /* change.c */
verb_run verb_list, verb_show, verb_logs, verb_events, verb_wait, verb_watch; /* query.c */
verb_run verb_explain;                                                        /* explain.c */
verb_run verb_progress, verb_metrics, verb_note, verb_warning, verb_alive;    /* report.c */

/* For zsock.h; context is the daemon. */
void service_on_message(void *context, const struct peer *peer, const struct frame *frames, size_t count);

/* For zsock.h: all that has arrived was taken. */
void service_on_quiet(void *context);

/* Answers: with call->answer, which it takes, or where code is not 0 with an error. A failed daemon answers nothing. */
void call_answer(struct call *call, int code, const struct err *err);

/* Fails with bad_request, refused, ... and a sentence. */
int call_refuse(struct call *call, struct err *err, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The job that the body's "job" names, in memory; fails with no_job, or with refused when it has ended. */
int call_live_job(struct call *call, struct job **job, struct err *err);

/* The body's "jobs": ids that are all known; fails with bad_request or no_job. *ids is the caller's. */
int call_jobs(struct call *call, int64_t **ids, size_t *count, struct err *err);

/* One id likewise. */
int call_known_job(struct call *call, int64_t id, struct err *err);

/* The body's "reason" as a clean line, empty without one; fails with bad_request. */
int call_reason(struct call *call, char reason[JOB_REASON_MAX], struct err *err);

/* {state: n}, a new reference; with zeros, or only of the states that some job is in. */
json_t *call_counts(const int64_t counts[JOB_STATE_MAX], bool zeros);

/* What to answer when a change could not be committed: on a full disk the caller is told and the daemon goes
 * on; anything else it cannot go on from. */
int call_commit_failed(struct call *call, int code, const struct err *err);

#endif
