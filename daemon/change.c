/* Verbs that change a job's way. Each is one event, or a few in one transaction, committed before it is answered. */
#include "common/str.h"
#include "daemon/act.h"
#include "daemon/service.h"
#include "daemon/stream.h"

#include <errno.h>
#include <string.h>

static int answer_row(struct call *call, const struct job *job)
{
    call->answer = json_pack("{so}", "job", stream_job_row(call->daemon->streams, job));
    acts_schedule(call->daemon->acts);
    return 0;
}

/* An event of a job, whose row is the answer. Takes context. */
static int change(struct call *call, struct job *job, enum job_event_name name, json_t *context,
                  struct err *err)
{
    int code = history_one(call->daemon->history, job, name, context, err);
    return code ? call_commit_failed(call, code, err) : answer_row(call, job);
}

/* The job of the body's "job", which has not ended, and the body's reason. */
static int take_job(struct call *call, struct job **job, char reason[JOB_REASON_MAX], struct err *err)
{
    int code = call_live_job(call, job, err);
    return code ? code : call_reason(call, reason, err);
}

int verb_cancel(struct call *call, struct err *err)
{
    struct job *job = NULL;
    char reason[JOB_REASON_MAX];
    int code = take_job(call, &job, reason, err);
    if (code)
        return code;
    if (job->row->life.state != JOB_RUNNING)
        return change(call, job, EVENT_CANCELLED, json_pack("{ss}", "reason", reason), err);
    code = acts_stop(call->daemon->acts, job, STOP_CANCEL, reason, err);
    return code ? call_commit_failed(call, code, err) : answer_row(call, job);
}

int verb_hold(struct call *call, struct err *err)
{
    struct job *job = NULL;
    char reason[JOB_REASON_MAX];
    int code = take_job(call, &job, reason, err);
    if (code)
        return code;
    long long id = (long long)job->row->id;
    if (job->row->life.state == JOB_HELD)
        return call_refuse(call, err, "refused", "job %lld is held already", id);
    if (job->row->life.state == JOB_RUNNING)
        return call_refuse(call, err, "refused", "job %lld is running: it can be cancelled, not held", id);
    return change(call, job, EVENT_HELD, json_pack("{ss}", "reason", reason), err);
}

int verb_release(struct call *call, struct err *err)
{
    struct job *job = NULL;
    int code = call_live_job(call, &job, err);
    if (code)
        return code;
    if (job->row->life.state != JOB_HELD)
        return call_refuse(call, err, "refused", "job %lld is %s, not held", (long long)job->row->id,
                           job_state_name(job->row->life.state));
    return change(call, job, EVENT_RELEASED, NULL, err);
}

int verb_priority(struct call *call, struct err *err)
{
    const json_t *number = json_object_get(call->body, "priority");
    json_int_t priority = json_integer_value(number);
    struct job *job = NULL;
    char reason[JOB_REASON_MAX];
    int code = take_job(call, &job, reason, err);
    if (code)
        return code;
    if (!json_is_integer(number) || priority < -JOB_PRIORITY_MAX || priority > JOB_PRIORITY_MAX)
        return call_refuse(call, err, "bad_request", "priority must be a number from %d to %d",
                           -JOB_PRIORITY_MAX, JOB_PRIORITY_MAX);
    return change(call, job, EVENT_PRIORITY_SET,
                  json_pack("{sI ss*}", "priority", priority, "reason", *reason ? reason : NULL), err);
}

int verb_checkpoint(struct call *call, struct err *err)
{
    struct job *job = NULL;
    int asked = 0;
    int code = call_live_job(call, &job, err);
    if (code)
        return code;
    if (job->row->life.state != JOB_RUNNING)
        return call_refuse(call, err, "refused", "job %lld is %s, not running", (long long)job->row->id,
                           job_state_name(job->row->life.state));
    if (strcmp(job->row->kind, "train") != 0)
        return call_refuse(call, err, "refused",
                           "job %lld (%s) writes no checkpoints: what it has finished is kept anyway",
                           (long long)job->row->id, job->row->kind);
    code = acts_checkpoint(call->daemon->acts, job, &asked, err);
    if (code)
        return call_commit_failed(call, code, err);
    if (!asked)
        return call_refuse(call, err, "refused", "job %lld has not come far enough for a checkpoint",
                           (long long)job->row->id);
    return answer_row(call, job);
}

/* Of a job that is asked for again: refused unless it ended, and for a mere retry, ended otherwise than well. */
static int check_ended(struct call *call, int64_t id, bool well_too, struct err *err)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    int code = store_find_job(call->daemon->store, id, &row, err);
    if (!code && !well_too && row->life.state == JOB_SUCCEEDED)
        return call_refuse(call, err, "refused", "job %lld succeeded: rerun does it again, retry does not",
                           (long long)id);
    return code;
}

static json_t *rows_of(struct call *call, const int64_t *ids, size_t count)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(rows, stream_row(call->daemon->streams, ids[i]));
    return rows;
}

static int reopen(struct call *call, const int64_t *ids, size_t count, bool well_too, const char *reason,
                  struct err *err)
{
    struct history *history = call->daemon->history;
    int code = history_begin(history, err);
    if (code)
        return code;
    for (size_t i = 0; !code && i < count; i++) {
        code = check_ended(call, ids[i], well_too, err);
        if (!code)
            code = history_reopen(history, ids[i], json_pack("{ss}", "reason", reason), err);
    }
    if (!code)
        code = history_settle(history, ids, count, err);
    if (!code)
        return history_commit(history, err);
    history_abort(history);
    return code;
}

static int again(struct call *call, bool well_too, struct err *err)
{
    CLEANUP(free_ptr) int64_t *ids = NULL;
    char reason[JOB_REASON_MAX];
    size_t count = 0;
    if (call->daemon->ending)
        return call_refuse(call, err, "refused", "decoyd is ending and starts no jobs");
    int code = call_jobs(call, &ids, &count, err);
    if (!code)
        code = call_reason(call, reason, err);
    if (code)
        return code;
    code = reopen(call, ids, count, well_too,
                  *reason    ? reason
                  : well_too ? "rerun by hand"
                             : "retried by hand",
                  err);
    if (code == -EBUSY)
        call->code = "refused";
    if (code == -EBUSY || code == -EINVAL)
        return code;
    if (code)
        return call_commit_failed(call, code, err);
    call->answer = json_pack("{so}", "jobs", rows_of(call, ids, count));
    acts_schedule(call->daemon->acts);
    return 0;
}

int verb_retry(struct call *call, struct err *err)
{
    return again(call, false, err);
}

int verb_rerun(struct call *call, struct err *err)
{
    return again(call, true, err);
}
