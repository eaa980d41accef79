/* What workers say. Each message names its job, attempt and token; one that does not fit the attempt that
 * runs now is of the past, or a stranger's, and changes nothing. */
#include "common/clock.h"
#include "common/str.h"
#include "daemon/hang.h"
#include "daemon/run.h"
#include "daemon/service.h"
#include "daemon/watch.h"

#include <errno.h>
#include <string.h>

enum { NOTES_MAX = 1000, NOTE_SIZE = 1024 };

/* The run that a message speaks for, or NULL. */
static struct run *run_of_message(struct queue *queue, const json_t *body)
{
    int64_t id, attempt;
    const char *token = json_string_value(json_object_get(body, "token"));
    if (!message_int(body, "job", 1, &id) || !message_int(body, "attempt", 1, &attempt) || !token)
        return NULL;
    struct job *job = queue_find(queue, id);
    struct run *run = job ? job->run : NULL;
    bool present =
        run && !run->adopted && job->row->life.state == JOB_RUNNING && run->attempt.attempt == attempt;
    bool ours = present && strcmp(run->attempt.token, token) == 0;
    if (ours)
        run->heard = true;
    return ours ? run : NULL;
}

int verb_progress(struct call *call, struct err *err)
{
    struct run *run = run_of_message(call->daemon->queue, call->body);
    const json_t *done = json_object_get(call->body, "done"), *total = json_object_get(call->body, "total");
    const char *unit = json_string_value(json_object_get(call->body, "unit"));
    int64_t rank;
    (void)err;
    if (!run || !message_int(call->body, "rank", 0, &rank) || rank >= run->job->row->ranks ||
        !json_is_number(done) || !json_is_number(total))
        return -EINVAL;
    if (!progress_report(run->progress, (int)rank, json_number_value(done), json_number_value(total),
                         unit ? unit : "", clock_monotonic_s()))
        return -EINVAL;
    watch_touch(call->daemon->streams, run->job);
    return 0;
}

int verb_metrics(struct call *call, struct err *err)
{
    struct run *run = run_of_message(call->daemon->queue, call->body);
    json_t *row = json_object_get(call->body, "row");
    (void)err;
    if (!run || !json_is_object(row))
        return -EINVAL;
    json_decref(run->metrics);
    run->metrics = json_incref(row);
    curve_add(&run->curve, row);
    watch_touch(call->daemon->streams, run->job);
    return 0;
}

int verb_alive(struct call *call, struct err *err)
{
    struct run *run = run_of_message(call->daemon->queue, call->body);
    const json_t *ranks = json_object_get(call->body, "ranks"), *rank;
    size_t i;
    (void)err;
    json_array_foreach(run ? ranks : NULL, i, rank)
    {
        json_int_t number = json_is_integer(rank) ? json_integer_value(rank) : -1;
        if (number >= 0 && number < run->placement.ranks)
            hangs_heard(call->daemon->hangs, run, (int)number);
    }
    return 0;
}

/* A sentence becomes an event; so many a worker has, and then no more. */
static int record_text(struct call *call, enum job_event_name name, struct err *err)
{
    struct run *run = run_of_message(call->daemon->queue, call->body);
    const json_t *value = json_object_get(call->body, "text");
    char text[NOTE_SIZE];
    if (!run || !json_is_string(value) || run->notes > NOTES_MAX)
        return -EINVAL;
    str_clean(text, sizeof text, json_string_value(value), json_string_length(value));
    if (run->notes++ == NOTES_MAX)
        snprintf(text, sizeof text, "further notes of this attempt are left out");
    int code = history_one(call->daemon->history, run->job, name, json_pack("{ss}", "text", text), err);
    return code ? call_commit_failed(call, code, err) : 0;
}

int verb_note(struct call *call, struct err *err)
{
    return record_text(call, EVENT_NOTE, err);
}

int verb_warning(struct call *call, struct err *err)
{
    return record_text(call, EVENT_WARNING, err);
}
