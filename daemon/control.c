/* Verbs about the daemon as a whole. */
#include "common/clock.h"
#include "common/log.h"
#include "common/str.h"
#include "daemon/act.h"
#include "daemon/deadline.h"
#include "daemon/forget.h"
#include "daemon/hosts.h"
#include "daemon/metrics.h"
#include "daemon/service.h"
#include "daemon/stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Whether a client speaks ours among the protocols it names; one that names none speaks the first. */
static bool speaks_ours(const json_t *protocols)
{
    json_t *number;
    size_t i;
    json_array_foreach((json_t *)protocols, i, number)
    {
        if (json_integer_value(number) == FRAME_VERSION)
            return true;
    }
    return !protocols;
}

int verb_hello(struct call *call, struct err *err)
{
    if (!speaks_ours(json_object_get(call->body, "protocols")))
        return call_refuse(call, err, "bad_version", "decoyd " DECOY_VERSION " speaks protocol %d",
                           FRAME_VERSION);
    call->answer = json_pack("{ss si s[i] si ss ss}", "version", DECOY_VERSION, "protocol", FRAME_VERSION,
                             "protocols", FRAME_VERSION, "pid", (int)getpid(), "state", call->daemon->state,
                             "host", call->daemon->host);
    return 0;
}

int verb_status(struct call *call, struct err *err)
{
    struct daemon *daemon = call->daemon;
    int64_t counts[JOB_STATE_MAX];
    int code = store_count_states(daemon->store, counts, err);
    if (code)
        return code;
    json_t *states = call_counts(counts, true);
    call->answer = json_pack(
        "{ss si ss ss sf si si so si sb ss? sO sf so sI sI so}", "version", DECOY_VERSION, "pid", (int)getpid(), "host",
        daemon->host, "state", daemon->state, "uptime_s", clock_monotonic_s() - daemon->started_s, "slots",
        daemon->slots.total, "slots_used", daemon->slots.used, "counts", states, "clients",
        (int)streams_clients(daemon->streams), "ending", daemon->ending, "drained", daemon->drained,
        "recovered", daemon->recovered, "keep_days", daemon->config.keep_days, "reach", zsock_reach(daemon->zsock),
        "until_us", (json_int_t)deadline_end_us(daemon->deadline), "closes_us",
        (json_int_t)deadline_closes_us(daemon->deadline), "hosts", hosts_json(&daemon->slots));
    return 0;
}

int verb_prometheus(struct call *call, struct err *err)
{
    CLEANUP(free_ptr) char *text = NULL;
    int code = metrics_text(call->daemon->metrics, &text, err);
    call->answer = code ? NULL : json_pack("{ss}", "text", text);
    return code;
}

int verb_shutdown(struct call *call, struct err *err)
{
    (void)err;
    call->answer = json_object();
    daemon_shut_down(call->daemon, "decoyd was shut down");
    return 0;
}

/* Remembers why no jobs are started (NULL: they are), also for the daemon after this one. */
static int set_drained(struct call *call, const char *reason, struct err *err)
{
    struct daemon *daemon = call->daemon;
    int code = store_set(daemon->store, "drained", reason, err);
    if (code)
        return call_commit_failed(call, code, err);
    free(daemon->drained);
    daemon->drained = reason ? str_format("%s", reason) : NULL;
    log_info("%s%s%s", reason ? "drained" : "resumed", reason && *reason ? ": " : "", reason ? reason : "");
    call->answer = json_pack("{si}", "running", (int)acts_running(daemon->acts));
    acts_schedule(daemon->acts);
    return 0;
}

int verb_drain(struct call *call, struct err *err)
{
    char reason[JOB_REASON_MAX];
    return call_reason(call, reason, err) ? -EINVAL : set_drained(call, reason, err);
}

int verb_resume(struct call *call, struct err *err)
{
    return set_drained(call, NULL, err);
}

int verb_forget(struct call *call, struct err *err)
{
    CLEANUP(free_ptr) int64_t *ids = NULL;
    const json_t *older = json_object_get(call->body, "older_s");
    size_t count = 0;
    int code;
    if (json_is_number(older) && json_number_value(older) >= 0) {
        int64_t before_us = clock_realtime_us() - (int64_t)(1e6 * json_number_value(older));
        code = forget_before(call->daemon, before_us, &count, err);
    } else if (older) {
        return call_refuse(call, err, "bad_request", "older_s must be a number of seconds");
    } else {
        code = call_jobs(call, &ids, &count, err);
        if (code)
            return code;
        code = forget_jobs(call->daemon, ids, count, err);
    }
    if (code == -EBUSY)
        call->code = "refused";
    else if (code)
        return call_commit_failed(call, code, err);
    call->answer = code ? NULL : json_pack("{sI}", "forgotten", (json_int_t)count);
    return code;
}
