/* See attempt.h. Each is one transaction: the job's event, its row, and the attempt's row. */
#include "daemon/attempt.h"
#include "common/clock.h"
#include "common/str.h"
#include "daemon/output.h"

#include <string.h>

static void explain(const struct run *run, enum job_event_name outcome, char reason[JOB_REASON_MAX])
{
    const struct job_life *life = &run->job->row->life;
    if (*life->reason || outcome == EVENT_CANCELLED)
        snprintf(reason, JOB_REASON_MAX, "%s", life->reason); /* why it was asked to stop */
    else if (run->lost)
        snprintf(reason, JOB_REASON_MAX, "host %s was lost", run->lost);
    else if (run->status.interrupted)
        snprintf(reason, JOB_REASON_MAX, "decoyd ended while it ran");
    else if (outcome == EVENT_REQUEUED)
        snprintf(reason, JOB_REASON_MAX, "the worker stopped, to go on later");
    else
        output_reason(run->directory, &run->status, reason);
}

/* How long the job rests before its next attempt. One that stopped by itself rests too, so as not to spin. */
static double pause_s(const struct run *run, enum job_event_name outcome)
{
    const struct job_life *life = &run->job->row->life;
    if (outcome == EVENT_RETRIED)
        return job_retry_delay_s(run->job->row->backoff_s, life->failures + 1);
    return outcome == EVENT_REQUEUED && !run->status.interrupted && life->stop == STOP_NONE;
}

static json_t *put_back_context(const char *reason, double rest_s)
{
    json_t *context = json_pack("{ss}", "reason", reason);
    if (rest_s > 0)
        json_object_set_new(context, "not_before_us",
                            json_integer(clock_realtime_us() + (int64_t)(1e6 * rest_s)));
    return context;
}

static json_t *ending_context(const struct run *run, enum job_event_name outcome)
{
    const struct job_exit *status = &run->status;
    char reason[JOB_REASON_MAX];
    explain(run, outcome, reason);
    json_t *context = put_back_context(reason, pause_s(run, outcome));
    if (!status->interrupted)
        json_object_set_new(context, status->signal ? "signal" : "exit_status",
                            json_integer(status->signal ? status->signal : status->status));
    return context;
}

static int add_success(struct history *history, struct run *run, struct err *err)
{
    struct err why = {0};
    json_t *result = output_result(run->directory, &why);
    if (!result && why.code) {
        int code = history_add(history, run->job, EVENT_WARNING, json_pack("{ss}", "text", why.text), err);
        if (code)
            return code;
    }
    return history_succeed(history, run->job, result, err);
}

int attempt_record_end(struct daemon *daemon, struct run *run, enum job_event_name outcome, struct err *err)
{
    struct attempt *attempt = &run->attempt;
    int code = history_begin(daemon->history, err);
    if (code)
        return code;
    code = outcome == EVENT_SUCCEEDED
               ? add_success(daemon->history, run, err)
               : history_add(daemon->history, run->job, outcome, ending_context(run, outcome), err);
    attempt->ended_us = clock_realtime_us();
    attempt->exit_status = run->status.status;
    attempt->signal = run->status.signal;
    snprintf(attempt->outcome, sizeof attempt->outcome, "%s", job_event_text(outcome));
    if (!code)
        code = store_end_attempt(daemon->store, attempt, err);
    if (!code)
        return history_commit(daemon->history, err);
    history_abort(daemon->history);
    return code;
}

int attempt_record_start(struct daemon *daemon, struct run *run, struct err *err)
{
    int code = history_begin(daemon->history, err);
    if (code)
        return code;
    run->attempt.started_us = clock_realtime_us();
    json_t *context = json_pack("{sI ss}", "pid", (json_int_t)run->attempt.pid, "directory", run->directory);
    code = history_add(daemon->history, run->job, EVENT_STARTED, context, err);
    if (!code)
        code = store_add_attempt(daemon->store, &run->attempt, err);
    if (!code)
        return history_commit(daemon->history, err);
    history_abort(daemon->history);
    return code;
}

/* An attempt that could not even be started is an attempt that failed. */
int attempt_record_no_start(struct daemon *daemon, struct run *run, const struct err *why, struct err *err)
{
    int failures = run->job->row->life.failures;
    bool again = failures < run->job->row->retries;
    char reason[JOB_REASON_MAX];
    str_clean(reason, sizeof reason, why->text, strlen(why->text));
    int code = history_begin(daemon->history, err);
    if (code)
        return code;
    code = history_add(daemon->history, run->job, EVENT_STARTED, NULL, err);
    if (!code)
        code = history_add(
            daemon->history, run->job, again ? EVENT_RETRIED : EVENT_FAILED,
            put_back_context(reason, again ? job_retry_delay_s(run->job->row->backoff_s, failures + 1) : 0),
            err);
    if (!code)
        return history_commit(daemon->history, err);
    history_abort(daemon->history);
    return code;
}
