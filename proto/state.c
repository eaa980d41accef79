/* See state.h. One table of transitions; what is not in it cannot happen. */
#include "proto/state.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const STATE_NAMES[JOB_STATE_MAX] = {
    "new", "held", "waiting", "ready", "running", "succeeded", "failed", "cancelled", "skipped"};

static const char *const EVENT_NAMES[EVENT_MAX] = {
    "submitted", "held",       "released", "ready",        "started",         "progress_note",
    "warning",   "stop_asked", "requeued", "retried",      "succeeded",       "failed",
    "cancelled", "skipped",    "reopened", "priority_set", "checkpoint_asked"};

static const char *const STOP_NAMES[STOP_MAX] = {"none", "shutdown", "hang", "time_limit", "cancel"};

static const struct {
    enum job_state from;
    enum job_event_name event;
    enum job_state to;
} TRANSITIONS[] = {
    {JOB_NEW, EVENT_SUBMITTED, JOB_WAITING},
    {JOB_WAITING, EVENT_HELD, JOB_HELD},
    {JOB_WAITING, EVENT_READY, JOB_READY},
    {JOB_WAITING, EVENT_CANCELLED, JOB_CANCELLED},
    {JOB_WAITING, EVENT_SKIPPED, JOB_SKIPPED},
    {JOB_HELD, EVENT_RELEASED, JOB_WAITING},
    {JOB_HELD, EVENT_CANCELLED, JOB_CANCELLED},
    {JOB_HELD, EVENT_SKIPPED, JOB_SKIPPED},
    {JOB_READY, EVENT_STARTED, JOB_RUNNING},
    {JOB_READY, EVENT_CANCELLED, JOB_CANCELLED},
    {JOB_RUNNING, EVENT_NOTE, JOB_RUNNING},
    {JOB_RUNNING, EVENT_WARNING, JOB_RUNNING},
    {JOB_RUNNING, EVENT_STOP_ASKED, JOB_RUNNING},
    {JOB_RUNNING, EVENT_REQUEUED, JOB_READY},
    {JOB_RUNNING, EVENT_RETRIED, JOB_READY},
    {JOB_RUNNING, EVENT_SUCCEEDED, JOB_SUCCEEDED},
    {JOB_RUNNING, EVENT_FAILED, JOB_FAILED},
    {JOB_RUNNING, EVENT_CANCELLED, JOB_CANCELLED},
    {JOB_READY, EVENT_HELD, JOB_HELD},
    {JOB_RUNNING, EVENT_CHECKPOINT_ASKED, JOB_RUNNING},
    {JOB_HELD, EVENT_PRIORITY_SET, JOB_HELD},
    {JOB_WAITING, EVENT_PRIORITY_SET, JOB_WAITING},
    {JOB_READY, EVENT_PRIORITY_SET, JOB_READY},
    {JOB_RUNNING, EVENT_PRIORITY_SET, JOB_RUNNING},
    {JOB_SUCCEEDED, EVENT_REOPENED, JOB_WAITING},
    {JOB_FAILED, EVENT_REOPENED, JOB_WAITING},
    {JOB_CANCELLED, EVENT_REOPENED, JOB_WAITING},
    {JOB_SKIPPED, EVENT_REOPENED, JOB_WAITING},
};

bool job_ended(enum job_state state)
{
    return state == JOB_SUCCEEDED || state == JOB_FAILED || state == JOB_CANCELLED || state == JOB_SKIPPED;
}

bool job_event_moves(enum job_event_name name)
{
    return name != EVENT_NOTE && name != EVENT_WARNING && name != EVENT_STOP_ASKED &&
           name != EVENT_PRIORITY_SET && name != EVENT_CHECKPOINT_ASKED;
}

static enum job_state next_state(enum job_state from, enum job_event_name event)
{
    for (size_t i = 0; i < sizeof TRANSITIONS / sizeof *TRANSITIONS; i++) {
        if (TRANSITIONS[i].from == from && TRANSITIONS[i].event == event)
            return TRANSITIONS[i].to;
    }
    return JOB_STATE_MAX;
}

/* The rest of the array is zero, so that equal lives are equal as bytes. */
static void set_reason(struct job_life *life, const struct job_event *event)
{
    const char *reason = json_string_value(json_object_get(event->context, "reason"));
    memset(life->reason, 0, sizeof life->reason);
    snprintf(life->reason, sizeof life->reason, "%s", reason ? reason : "");
}

static void ask_stop(struct job_life *life, const struct job_event *event)
{
    const char *name = json_string_value(json_object_get(event->context, "stop"));
    enum job_stop stop = name ? job_stop_find(name) : STOP_MAX;
    if (stop == STOP_MAX || stop <= life->stop)
        return;
    life->stop = stop;
    set_reason(life, event);
}

static void begin_attempt(struct job_life *life, const struct job_event *event)
{
    life->attempt = event->attempt;
    life->started_us = event->time_us;
    life->not_before_us = 0;
    life->stop = STOP_NONE;
    memset(life->reason, 0, sizeof life->reason);
}

static void put_back(struct job_life *life, const struct job_event *event)
{
    life->failures += event->name == EVENT_RETRIED;
    life->not_before_us = json_integer_value(json_object_get(event->context, "not_before_us"));
    life->stop = STOP_NONE;
    set_reason(life, event);
}

static void set_priority(struct job_life *life, const struct job_event *event)
{
    life->priority = (int)json_integer_value(json_object_get(event->context, "priority"));
}

static void begin_again(struct job_life *life, const struct job_event *event)
{
    life->failures = 0;
    life->not_before_us = life->ended_us = 0;
    life->stop = STOP_NONE;
    set_reason(life, event);
}

/* What an event changes besides the state. */
static void apply_details(struct job_life *life, const struct job_event *event)
{
    switch (event->name) {
    case EVENT_SUBMITTED:
        life->submitted_us = event->time_us;
        set_priority(life, event);
        break;
    case EVENT_PRIORITY_SET:
        set_priority(life, event);
        break;
    case EVENT_REOPENED:
        begin_again(life, event);
        break;
    case EVENT_STARTED:
        begin_attempt(life, event);
        break;
    case EVENT_STOP_ASKED:
        ask_stop(life, event);
        break;
    case EVENT_REQUEUED:
    case EVENT_RETRIED:
        put_back(life, event);
        break;
    case EVENT_NOTE:
    case EVENT_WARNING:
    case EVENT_READY:
    case EVENT_CHECKPOINT_ASKED:
        break;
    default:
        life->failures += event->name == EVENT_FAILED;
        set_reason(life, event);
    }
    if (job_ended(life->state))
        life->ended_us = event->time_us;
}

int job_apply(struct job_life *life, const struct job_event *event, struct err *err)
{
    enum job_state next = next_state(life->state, event->name);
    if (next == JOB_STATE_MAX)
        return err_set(err, -EINVAL, "job %lld is %s: it cannot be %s", (long long)event->job,
                       STATE_NAMES[life->state], EVENT_NAMES[event->name]);
    int attempt = life->attempt + (event->name == EVENT_STARTED);
    if (event->attempt != attempt)
        return err_set(err, -ESTALE, "job %lld is at attempt %d, not %d", (long long)event->job,
                       life->attempt, event->attempt);
    life->state = next;
    apply_details(life, event);
    return 0;
}

enum job_event_name job_outcome(const struct job_life *life, int retries, const struct job_exit *status)
{
    if (!status->interrupted && status->signal == 0 && status->status == 0)
        return EVENT_SUCCEEDED;
    if (life->stop == STOP_CANCEL)
        return EVENT_CANCELLED;
    if (life->stop == STOP_TIME_LIMIT || life->stop == STOP_HANG)
        return life->failures < retries ? EVENT_RETRIED : EVENT_FAILED;
    bool stopped = status->signal == 0 && status->status == JOB_EXIT_STOPPED;
    if (life->stop == STOP_SHUTDOWN || status->interrupted || stopped)
        return EVENT_REQUEUED;
    return life->failures < retries ? EVENT_RETRIED : EVENT_FAILED;
}

double job_retry_delay_s(double backoff_s, int failures)
{
    double most_s = fmax(backoff_s, 3600);
    return failures < 1 ? 0 : fmin(ldexp(backoff_s, failures < 64 ? failures - 1 : 63), most_s);
}

const char *job_state_name(enum job_state state)
{
    return STATE_NAMES[state];
}

const char *job_event_text(enum job_event_name name)
{
    return EVENT_NAMES[name];
}

const char *job_stop_name(enum job_stop stop)
{
    return STOP_NAMES[stop];
}

static int find(const char *name, const char *const *names, int count)
{
    int i = 0;
    while (i < count && strcmp(name, names[i]) != 0)
        i++;
    return i;
}

enum job_state job_state_find(const char *name)
{
    return (enum job_state)find(name, STATE_NAMES, JOB_STATE_MAX);
}

enum job_event_name job_event_find(const char *name)
{
    return (enum job_event_name)find(name, EVENT_NAMES, EVENT_MAX);
}

enum job_stop job_stop_find(const char *name)
{
    return (enum job_stop)find(name, STOP_NAMES, STOP_MAX);
}
