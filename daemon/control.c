/* Verbs about the daemon, and those that change a job's way: cancel, release. */
#include "common/clock.h"
#include "common/str.h"
#include "daemon/act.h"
#include "daemon/service.h"
#include "daemon/stream.h"

#include <string.h>
#include <unistd.h>

int verb_hello(struct call *call, struct err *err)
{
    (void)err;
    call->answer = json_pack("{ss si si ss ss}", "version", DECOY_VERSION, "protocol", 1, "pid",
                             (int)getpid(), "state", call->daemon->state, "host", call->daemon->host);
    return 0;
}

int verb_status(struct call *call, struct err *err)
{
    struct daemon *daemon = call->daemon;
    int64_t counts[JOB_STATE_MAX];
    int code = store_count_states(daemon->store, counts, err);
    if (code)
        return code;
    json_t *states = json_object();
    for (int state = JOB_HELD; state < JOB_STATE_MAX; state++)
        json_object_set_new(states, job_state_name((enum job_state)state), json_integer(counts[state]));
    call->answer =
        json_pack("{ss si ss ss sf si si so si sb}", "version", DECOY_VERSION, "pid", (int)getpid(), "host",
                  daemon->host, "state", daemon->state, "uptime_s", clock_monotonic_s() - daemon->started_s,
                  "slots", daemon->slots.total, "slots_used", daemon->slots.used, "counts", states, "clients",
                  (int)streams_clients(daemon->streams), "draining", daemon->draining);
    return 0;
}

int verb_shutdown(struct call *call, struct err *err)
{
    (void)err;
    call->answer = json_object();
    daemon_shut_down(call->daemon);
    return 0;
}

/* The body's reason as a clean line; false when it is something else than text or null. */
static bool take_reason(const json_t *body, char reason[JOB_REASON_MAX])
{
    const json_t *value = json_object_get(body, "reason");
    reason[0] = '\0';
    if (json_is_string(value))
        str_clean(reason, JOB_REASON_MAX, json_string_value(value), json_string_length(value));
    return !value || json_is_null(value) || json_is_string(value);
}

int verb_cancel(struct call *call, struct err *err)
{
    struct daemon *daemon = call->daemon;
    struct job *job = NULL;
    char reason[JOB_REASON_MAX];
    int code = call_live_job(call, &job, err);
    if (code)
        return code;
    if (!take_reason(call->body, reason))
        return call_refuse(call, err, "bad_request", "reason must be a text or null");
    if (job->row->life.state == JOB_RUNNING)
        code = acts_stop(daemon->acts, job, STOP_CANCEL, reason, err);
    else
        code = history_one(daemon->history, job, EVENT_CANCELLED, json_pack("{ss}", "reason", reason), err);
    if (code)
        return call_commit_failed(call, code, err);
    call->answer = json_pack("{so}", "job", stream_job_row(daemon->streams, job));
    acts_schedule(daemon->acts);
    return 0;
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
    code = history_one(call->daemon->history, job, EVENT_RELEASED, NULL, err);
    if (code)
        return call_commit_failed(call, code, err);
    call->answer = json_pack("{so}", "job", stream_job_row(call->daemon->streams, job));
    acts_schedule(call->daemon->acts);
    return 0;
}
