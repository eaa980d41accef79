/* See service.h. */
#include "daemon/service.h"
#include "common/log.h"
#include "common/str.h"
#include "daemon/submit.h"
#include "proto/message.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

enum { SELECTION_MAX = 10000 };

static const struct {
    const char *name;
    verb_run *run;
    bool silent; /* of a worker: no reply */
} VERBS[] = {
    {"hello", verb_hello},
    {"list", verb_list},
    {"show", verb_show},
    {"events", verb_events},
    {"wait", verb_wait},
    {"watch", verb_watch},
    {"cancel", verb_cancel},
    {"hold", verb_hold},
    {"release", verb_release},
    {"priority", verb_priority},
    {"checkpoint", verb_checkpoint},
    {"retry", verb_retry},
    {"rerun", verb_rerun},
    {"forget", verb_forget},
    {"explain", verb_explain},
    {"logs", verb_logs},
    {"status", verb_status},
    {"prometheus", verb_prometheus},
    {"drain", verb_drain},
    {"resume", verb_resume},
    {"shutdown", verb_shutdown},
    {"progress", verb_progress, true},
    {"metrics", verb_metrics, true},
    {"note", verb_note, true},
    {"warning", verb_warning, true},
    {"alive", verb_alive, true},
};

static void reply(struct daemon *daemon, const struct peer *peer, const struct request *request,
                  const char *kind, json_t *body)
{
    zsock_send(daemon->zsock, peer, kind, request->id, request->id_size, body);
    json_decref(body);
}

/* The text, or else the body, which it takes; a failed daemon answers nothing. */
static void reply_text(const struct call *call, const char *kind, const char *text, json_t *body)
{
    const struct request *request = call->request;
    if (!call->daemon->failed && text)
        zsock_send_text(call->daemon->zsock, call->peer, kind, request->id, request->id_size, text);
    else if (!call->daemon->failed)
        zsock_send(call->daemon->zsock, call->peer, kind, request->id, request->id_size, body);
    json_decref(body);
}

void call_answer(struct call *call, int code, const struct err *err)
{
    CLEANUP(free_ptr) char *text = TAKE(call->text);
    json_t *answer = TAKE(call->answer);
    if (code)
        reply_text(call, "error", NULL, message_error(call->code, err->text));
    else if (text || answer)
        reply_text(call, "ok", text, json_incref(answer));
    json_decref(answer);
}

static void run_verb(struct daemon *daemon, const struct peer *peer, const struct request *request,
                     size_t verb)
{
    struct err err = {0};
    struct call call = {
        .daemon = daemon, .peer = peer, .request = request, .body = request->body, .code = "internal"};
    int code = VERBS[verb].run(&call, &err);
    if (VERBS[verb].silent)
        json_decref(call.answer);
    else
        call_answer(&call, code, &err);
}

void service_on_quiet(void *context)
{
    submits_flush(context);
}

static bool is_silent(const char *verb)
{
    for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++) {
        if (strcmp(verb, VERBS[i].name) == 0)
            return VERBS[i].silent;
    }
    return false;
}

void service_on_message(void *context, const struct peer *peer, const struct frame *frames, size_t count)
{
    struct daemon *daemon = context;
    struct request request;
    const char *code;
    struct err err = {0};
    if (daemon->failed)
        return;
    if (frame_parse(frames, count, &request, &code, &err) != 0) {
        if (!is_silent(request.verb))
            reply(daemon, peer, &request, "error", message_error(code, err.text));
        return;
    }
    if (strcmp(request.verb, "submit") == 0) {
        submits_add(daemon, peer, &request);
        request_clear(&request);
        return;
    }
    submits_flush(daemon); /* who asked first is answered first */
    size_t verb = 0;
    while (verb < sizeof VERBS / sizeof *VERBS && strcmp(request.verb, VERBS[verb].name) != 0)
        verb++;
    if (verb < sizeof VERBS / sizeof *VERBS) {
        run_verb(daemon, peer, &request, verb);
    } else {
        err_set(&err, -EINVAL, "there is no verb %s", request.verb);
        reply(daemon, peer, &request, "error", message_error("unknown_verb", err.text));
    }
    request_clear(&request);
}

int call_refuse(struct call *call, struct err *err, const char *code, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    call->code = code;
    return err_set(err, -EINVAL, "%s", text);
}

int call_live_job(struct call *call, struct job **job, struct err *err)
{
    int64_t id;
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    if (!message_int(call->body, "job", 1, &id))
        return call_refuse(call, err, "bad_request", "job must be a job's id");
    *job = queue_find(call->daemon->queue, id);
    if (!*job && store_find_job(call->daemon->store, id, &row, NULL) != 0)
        return call_refuse(call, err, "no_job", "there is no job %lld", (long long)id);
    const struct job_life *life = *job ? &(*job)->row->life : &row->life;
    if (job_ended(life->state))
        return call_refuse(call, err, "refused", "job %lld has %s%s", (long long)id,
                           life->state == JOB_FAILED || life->state == JOB_SUCCEEDED ? "" : "been ",
                           job_state_name(life->state));
    return 0;
}

int call_known_job(struct call *call, int64_t id, struct err *err)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    if (queue_find(call->daemon->queue, id))
        return 0;
    int code = store_find_job(call->daemon->store, id, &row, err);
    if (code == -ENOENT)
        call->code = "no_job";
    return code;
}

int call_jobs(struct call *call, int64_t **ids, size_t *count, struct err *err)
{
    const json_t *jobs = json_object_get(call->body, "jobs");
    size_t size = json_array_size(jobs);
    if (!json_is_array(jobs) || size > SELECTION_MAX)
        return call_refuse(call, err, "bad_request", "jobs must be an array of at most %d ids",
                           SELECTION_MAX);
    CLEANUP(free_ptr) int64_t *list = calloc(size + 1, sizeof *list);
    int code = list ? 0 : err_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; !code && i < size; i++) {
        const json_t *id = json_array_get(jobs, i);
        list[i] = json_integer_value(id);
        code = json_is_integer(id) ? call_known_job(call, list[i], err)
                                   : call_refuse(call, err, "bad_request", "jobs[%zu] is not a job's id", i);
    }
    *ids = code ? NULL : TAKE(list);
    *count = size;
    return code;
}

int call_reason(struct call *call, char reason[JOB_REASON_MAX], struct err *err)
{
    const json_t *value = json_object_get(call->body, "reason");
    reason[0] = '\0';
    if (json_is_string(value))
        str_clean(reason, JOB_REASON_MAX, json_string_value(value), json_string_length(value));
    if (!value || json_is_null(value) || json_is_string(value))
        return 0;
    return call_refuse(call, err, "bad_request", "reason must be a text or null");
}

json_t *call_counts(const int64_t counts[JOB_STATE_MAX], bool zeros)
{
    json_t *states = json_object();
    for (int state = JOB_HELD; state < JOB_STATE_MAX; state++) {
        if (counts[state] || zeros)
            json_object_set_new(states, job_state_name((enum job_state)state), json_integer(counts[state]));
    }
    return states;
}

int call_commit_failed(struct call *call, int code, const struct err *err)
{
    call->code = "internal";
    if (code == -ENOSPC)
        log_error("%s", err->text);
    else
        daemon_fail(call->daemon, err);
    return code;
}
