/* See history.h. A pending change holds the job's row as it will be; the row in memory is replaced at commit.
 * A job that waits is settled whenever one of those before it ends: all succeeded, it is ready; one ended
 * otherwise, it is skipped, and so are those after it. Reopening is the way back: with a job go those that were
 * skipped and have nothing else before them that did not succeed. */
#include "daemon/history.h"
#include "common/clock.h"
#include "common/str.h"

#include <errno.h>
#include <string.h>

struct pending {
    struct job *job;     /* NULL: one to be added to the queue, new or reopened */
    struct job_row *row; /* that one's row, owned; else NULL */
    struct job_life life;
    json_t *result;
    bool changed;  /* else it was only looked at */
    bool reopened; /* an earlier result is void */
};

struct change {
    size_t pending; /* index of its job */
    struct job_event event;
};

struct history {
    struct store *store;
    struct queue *queue;
    history_listener *listener;
    void *context;
    struct pending *pending;
    size_t pending_count, pending_room;
    struct change *changes;
    size_t change_count, change_room;
    int64_t last_us;
    size_t marked_pending, marked_changes; /* how many there were at history_mark */
};

struct history *history_create(struct store *store, struct queue *queue, history_listener *listener,
                               void *context)
{
    struct history *history = calloc(1, sizeof *history);
    if (!history)
        abort();
    history->store = store;
    history->queue = queue;
    history->listener = listener;
    history->context = context;
    return history;
}

/* Forgets all but the first so many. */
static void drop_after(struct history *history, size_t pending, size_t changes)
{
    for (size_t i = changes; i < history->change_count; i++)
        json_decref((json_t *)history->changes[i].event.context);
    for (size_t i = pending; i < history->pending_count; i++) {
        job_row_destroy(history->pending[i].row);
        json_decref(history->pending[i].result);
    }
    history->change_count = changes;
    history->pending_count = pending;
}

static void clear(struct history *history)
{
    drop_after(history, 0, 0);
}

void history_destroy(struct history *history)
{
    if (!history)
        return;
    clear(history);
    free(history->pending);
    free(history->changes);
    free(history);
}

/* The next place of a growing array. */
static void *next_place(void **items, size_t *count, size_t *room, size_t size)
{
    if (*count == *room) {
        *room = *room ? 2 * *room : 16;
        *items = realloc(*items, *room * size);
        if (!*items)
            abort();
    }
    return memset((char *)*items + (*count)++ * size, 0, size);
}

static size_t add_pending(struct history *history, struct job *job, struct job_row *row)
{
    struct pending *pending = next_place((void **)&history->pending, &history->pending_count,
                                         &history->pending_room, sizeof *pending);
    pending->job = job;
    pending->row = row;
    if (job)
        pending->life = job->row->life;
    else if (row->id) /* one that was there before */
        pending->life = row->life;
    return history->pending_count - 1;
}

static const struct job_row *row_of(const struct pending *pending)
{
    return pending->row ? pending->row : pending->job->row;
}

static size_t find_pending(const struct history *history, int64_t id)
{
    size_t i = history->pending_count;
    while (i > 0 && row_of(&history->pending[i - 1])->id != id)
        i--;
    return i ? i - 1 : history->pending_count;
}

static size_t pending_of(struct history *history, struct job *job)
{
    size_t found = find_pending(history, job->row->id);
    return found < history->pending_count ? found : add_pending(history, job, NULL);
}

int history_begin(struct history *history, struct err *err)
{
    int64_t now_us = clock_realtime_us();
    history->last_us =
        now_us > history->last_us ? now_us : history->last_us; /* times of events never go back */
    return store_begin(history->store, err);
}

/* Writes one event of a pending job and the row it leads to. Takes context. */
static int record(struct history *history, size_t index, enum job_event_name name, json_t *context,
                  struct err *err)
{
    struct pending *pending = &history->pending[index];
    struct job_life before = pending->life;
    struct job_row row = *row_of(pending);
    struct change *change =
        next_place((void **)&history->changes, &history->change_count, &history->change_room, sizeof *change);
    change->pending = index;
    change->event =
        (struct job_event){.job = row.id, .time_us = history->last_us, .name = name, .context = context};
    change->event.attempt = before.attempt + (name == EVENT_STARTED);
    int code = job_apply(&pending->life, &change->event, err);
    change->event.state = pending->life.state;
    row.life = pending->life;
    pending->changed = true;
    pending->reopened |= !code && name == EVENT_REOPENED;
    row.result = pending->result ? pending->result : pending->reopened ? NULL : row.result;
    if (!code)
        code = store_update_job(history->store, &row, &before, err);
    return code ? code : store_add_event(history->store, &change->event, err);
}

static json_t *reason_context(const char *reason)
{
    return json_pack("{ss}", "reason", reason);
}

static json_t *priority_context(int priority)
{
    return priority ? json_pack("{si}", "priority", priority) : NULL;
}

/* What a waiting or held job becomes now. */
static int settle(struct history *history, size_t index, struct err *err)
{
    const struct pending *pending = &history->pending[index];
    enum job_state state = pending->life.state;
    int64_t broken;
    int unmet;
    if (state != JOB_WAITING && state != JOB_HELD)
        return 0;
    int code = store_dependencies(history->store, row_of(pending)->id, &unmet, &broken, err);
    if (code)
        return code;
    if (broken) {
        CLEANUP(free_ptr)
        char *reason = str_format("job %lld, which it comes after, did not succeed", (long long)broken);
        return record(history, index, EVENT_SKIPPED, reason_context(reason), err);
    }
    if (!unmet && state == JOB_WAITING)
        return record(history, index, EVENT_READY, NULL, err);
    return 0;
}

static int settle_each(struct history *history, const int64_t *ids, size_t count, struct err *err)
{
    int code = 0;
    for (size_t i = 0; !code && i < count; i++) {
        struct job *job = queue_find(history->queue, ids[i]);
        size_t index = find_pending(history, ids[i]);
        if (index == history->pending_count && !job)
            continue; /* ended before */
        code = settle(history, index < history->pending_count ? index : add_pending(history, job, NULL), err);
    }
    return code;
}

/* Settles all jobs after those that ended from change number `from` on; skipping adds to that list. */
static int settle_dependants(struct history *history, size_t from, struct err *err)
{
    int code = 0;
    for (size_t i = from; !code && i < history->change_count; i++) {
        CLEANUP(free_ptr) int64_t *ids = NULL;
        size_t count = 0;
        if (!job_ended(history->changes[i].event.state))
            continue;
        code = store_dependants(history->store, history->changes[i].event.job, &ids, &count, err);
        if (!code)
            code = settle_each(history, ids, count, err);
    }
    return code;
}

int history_submit(struct history *history, struct job_row **row, int64_t *id, struct err *err)
{
    struct job_row *mine = TAKE(*row);
    size_t index = add_pending(history, NULL, mine);
    int code = store_add_job(history->store, mine, err);
    if (!code)
        code = record(history, index, EVENT_SUBMITTED, priority_context(mine->life.priority), err);
    if (!code && mine->hold)
        code = record(history, index, EVENT_HELD, reason_context("submitted with hold"), err);
    if (!code)
        code = settle(history, index, err);
    *id = mine->id;
    return code;
}

int history_mark(struct history *history, struct err *err)
{
    history->marked_pending = history->pending_count;
    history->marked_changes = history->change_count;
    return store_mark(history->store, err);
}

int history_unmark(struct history *history, bool keep, struct err *err)
{
    if (keep)
        return store_keep(history->store, err);
    drop_after(history, history->marked_pending, history->marked_changes);
    return store_rewind(history->store, err);
}

static int add_at(struct history *history, size_t index, enum job_event_name name, json_t *context,
                  struct err *err)
{
    size_t from = history->change_count;
    int code = record(history, index, name, context, err);
    if (!code && name == EVENT_RELEASED)
        code = settle(history, index, err);
    return code ? code : settle_dependants(history, from, err);
}

int history_add(struct history *history, struct job *job, enum job_event_name name, json_t *context,
                struct err *err)
{
    return add_at(history, pending_of(history, job), name, context, err);
}

int history_succeed(struct history *history, struct job *job, json_t *result, struct err *err)
{
    size_t index = pending_of(history, job);
    json_decref(history->pending[index].result);
    history->pending[index].result = result;
    return add_at(history, index, EVENT_SUCCEEDED, result ? json_pack("{sO}", "result", result) : NULL, err);
}

/* --- another go --- */

/* The pending place of a job that may have ended long ago. */
static int pending_by_id(struct history *history, int64_t id, size_t *index, struct err *err)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    struct job *job = queue_find(history->queue, id);
    *index = find_pending(history, id);
    if (*index < history->pending_count)
        return 0;
    int code = job ? 0 : store_find_job(history->store, id, &row, err);
    if (!code)
        *index = add_pending(history, job, TAKE(row));
    return code;
}

/* A job that comes after one that is reopened. */
static int reopen_dependant(struct history *history, int64_t prior, int64_t id, json_t *context,
                            struct err *err)
{
    size_t index;
    int unmet;
    int64_t broken = 0;
    int code = pending_by_id(history, id, &index, err);
    if (code)
        return code;
    enum job_state state = history->pending[index].life.state;
    if (state == JOB_RUNNING)
        return err_set(err, -EBUSY, "job %lld, which comes after job %lld, is running", (long long)id,
                       (long long)prior);
    if (state == JOB_SKIPPED)
        code = store_dependencies(history->store, id, &unmet, &broken, err);
    return code || state != JOB_SKIPPED || broken
               ? code
               : record(history, index, EVENT_REOPENED, json_incref(context), err);
}

/* All dependants of those that were reopened from change number `from` on; each adds to that list. */
static int reopen_dependants(struct history *history, size_t from, json_t *context, struct err *err)
{
    int code = 0;
    for (size_t i = from; !code && i < history->change_count; i++) {
        CLEANUP(free_ptr) int64_t *ids = NULL;
        int64_t prior = history->changes[i].event.job;
        size_t count = 0;
        code = store_dependants(history->store, prior, &ids, &count, err);
        for (size_t j = 0; !code && j < count; j++)
            code = reopen_dependant(history, prior, ids[j], context, err);
    }
    return code;
}

int history_reopen(struct history *history, int64_t id, json_t *context, struct err *err)
{
    size_t index, from = history->change_count;
    int code = pending_by_id(history, id, &index, err);
    const struct pending *pending = code ? NULL : &history->pending[index];
    if (pending && !pending->reopened && !job_ended(pending->life.state))
        code = err_set(err, -EBUSY, "job %lld is %s: it has not ended", (long long)id,
                       job_state_name(pending->life.state));
    if (!code && !pending->reopened) {
        code = record(history, index, EVENT_REOPENED, json_incref(context), err);
        if (!code)
            code = reopen_dependants(history, from, context, err);
    }
    json_decref(context);
    return code;
}

int history_settle(struct history *history, const int64_t *ids, size_t count, struct err *err)
{
    int code = 0;
    for (size_t i = 0; !code && i < history->pending_count; i++)
        code = settle(history, i, err);
    for (size_t i = 0; !code && i < count; i++) {
        const struct pending *pending = &history->pending[find_pending(history, ids[i])];
        if (pending->life.state == JOB_SKIPPED)
            code = err_set(err, -EBUSY, "job %lld cannot start: %s", (long long)ids[i], pending->life.reason);
    }
    return code;
}

static void install(struct history *history)
{
    for (size_t i = 0; i < history->pending_count; i++) {
        struct pending *pending = &history->pending[i];
        if (!pending->changed)
            continue;
        if (pending->row) {
            job_row_forget_spec(pending->row);
            pending->job = queue_add(history->queue, TAKE(pending->row));
        }
        struct job_row *row = pending->job->row;
        row->life = pending->life;
        if (pending->result || pending->reopened) {
            json_decref(row->result);
            row->result = TAKE(pending->result);
        }
        queue_changed(history->queue, pending->job);
    }
}

int history_commit(struct history *history, struct err *err)
{
    int code = store_commit(history->store, err);
    if (code) {
        history_abort(history);
        return code;
    }
    install(history);
    for (size_t i = 0; i < history->change_count; i++)
        history->listener(history->context, history->pending[history->changes[i].pending].job,
                          &history->changes[i].event);
    clear(history);
    return 0;
}

void history_abort(struct history *history)
{
    store_rollback(history->store);
    clear(history);
}

int history_one(struct history *history, struct job *job, enum job_event_name name, json_t *context,
                struct err *err)
{
    int code = history_begin(history, err);
    if (code) {
        json_decref(context);
        return code;
    }
    code = history_add(history, job, name, context, err);
    if (code) {
        history_abort(history);
        return code;
    }
    return history_commit(history, err);
}
