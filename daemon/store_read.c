/* See store.h: reading back. A value of the database that this program could not have written (an unknown
 * state, a context that is no JSON) is an error that names its row, never a guess. */
#include "daemon/store.h"
#include "common/str.h"
#include "daemon/store_private.h"

#include <errno.h>
#include <string.h>

static const char *text_of(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

static char *copy_of(sqlite3_stmt *statement, int column)
{
    const char *text = text_of(statement, column);
    return text ? str_format("%s", text) : NULL;
}

static json_t *json_of(sqlite3_stmt *statement, int column)
{
    const char *text = text_of(statement, column);
    return text ? json_loads(text, 0, NULL) : NULL;
}

/* Numbers of a one-column query; *ids is the caller's. */
static int collect_ids(struct store *store, sqlite3_stmt *statement, int64_t **ids, size_t *count,
                       struct err *err)
{
    CLEANUP(free_ptr) int64_t *list = NULL;
    size_t used = 0, room = 0;
    int step;
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
        if (used == room) {
            room = room ? 2 * room : 16;
            int64_t *larger = realloc(list, room * sizeof *larger);
            if (!larger)
                abort();
            list = larger;
        }
        list[used++] = sqlite3_column_int64(statement, 0);
    }
    int code = step == SQLITE_DONE ? 0 : store_failed(store, err);
    sqlite3_reset(statement);
    *ids = code ? NULL : TAKE(list);
    *count = code ? 0 : used;
    return code;
}

static int load_life(sqlite3_stmt *s, struct job_life *life)
{
    const char *state = text_of(s, 11), *stop = text_of(s, 14), *reason = text_of(s, 19);
    life->state = state ? job_state_find(state) : JOB_STATE_MAX;
    life->stop = stop ? job_stop_find(stop) : STOP_MAX;
    life->attempt = sqlite3_column_int(s, 12);
    life->failures = sqlite3_column_int(s, 13);
    life->submitted_us = sqlite3_column_int64(s, 15);
    life->started_us = sqlite3_column_int64(s, 16);
    life->ended_us = sqlite3_column_int64(s, 17);
    life->not_before_us = sqlite3_column_int64(s, 18);
    snprintf(life->reason, sizeof life->reason, "%s", reason ? reason : "");
    return life->state == JOB_STATE_MAX || life->stop == STOP_MAX ? -EINVAL : 0;
}

static int load_row(struct store *store, sqlite3_stmt *s, struct job_row **out, struct err *err)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = calloc(1, sizeof *row);
    if (!row)
        return err_set(err, -ENOMEM, "out of memory");
    row->id = sqlite3_column_int64(s, 0);
    row->kind = copy_of(s, 1);
    row->name = copy_of(s, 2);
    row->group = copy_of(s, 3);
    row->out = copy_of(s, 4);
    row->priority = sqlite3_column_int(s, 5);
    row->ranks = sqlite3_column_int(s, 6);
    row->threads = sqlite3_column_int(s, 7);
    row->retries = sqlite3_column_int(s, 8);
    row->time_limit_s = sqlite3_column_double(s, 9);
    row->hold = sqlite3_column_int(s, 10);
    row->result = json_of(s, 20);
    if (load_life(s, &row->life) != 0)
        return err_set(err, -EINVAL, "%s: job %lld is in a state that is none", store->path,
                       (long long)row->id);
    int code =
        collect_ids(store, store_bind(store, JOB_AFTER, "i", row->id), &row->after, &row->after_count, err);
    if (!code)
        *out = TAKE(row);
    return code;
}

int store_each_job(struct store *store, enum store_selection selection, store_job_visitor *visit,
                   void *context, struct err *err)
{
    sqlite3_stmt *statement = store_bind(store, selection == STORE_ALL ? ALL_JOBS : LIVE_JOBS, "");
    int step, code = 0;
    while (!code && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
        code = load_row(store, statement, &row, err);
        if (!code)
            code = visit(context, &row);
    }
    if (!code && step != SQLITE_DONE)
        code = store_failed(store, err);
    sqlite3_reset(statement);
    return code;
}

int store_find_job(struct store *store, int64_t id, struct job_row **row, struct err *err)
{
    sqlite3_stmt *statement = store_bind(store, FIND_JOB, "i", id);
    int step = sqlite3_step(statement);
    int code = step == SQLITE_ROW    ? load_row(store, statement, row, err)
               : step == SQLITE_DONE ? err_set(err, -ENOENT, "there is no job %lld", (long long)id)
                                     : store_failed(store, err);
    sqlite3_reset(statement);
    return code;
}

int store_find_key(struct store *store, const char *key, const char *body, int64_t *id, bool *same,
                   struct err *err)
{
    sqlite3_stmt *statement = store_bind(store, FIND_KEY, "t", key);
    int step = sqlite3_step(statement);
    const char *stored = step == SQLITE_ROW ? text_of(statement, 1) : NULL;
    *id = step == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    *same = stored && strcmp(stored, body) == 0;
    int code = step == SQLITE_ROW || step == SQLITE_DONE ? 0 : store_failed(store, err);
    sqlite3_reset(statement);
    return code;
}

int store_load_spec(struct store *store, struct job_row *row, struct err *err)
{
    sqlite3_stmt *statement = store_bind(store, JOB_SPEC, "i", row->id);
    int code = sqlite3_step(statement) == SQLITE_ROW ? 0 : store_failed(store, err);
    if (!code) {
        json_decref(row->fields);
        json_decref(row->options);
        row->fields = json_of(statement, 0);
        row->options = json_of(statement, 1);
    }
    if (!code && (!row->fields || !row->options))
        code = err_set(err, -EINVAL, "%s: the spec of job %lld is not JSON", store->path, (long long)row->id);
    sqlite3_reset(statement);
    return code;
}

int store_dependencies(struct store *store, int64_t job, int *unmet, int *broken, struct err *err)
{
    sqlite3_stmt *statement = store_bind(store, DEPENDENCIES, "i", job);
    int code = sqlite3_step(statement) == SQLITE_ROW ? 0 : store_failed(store, err);
    *unmet = code ? 0 : sqlite3_column_int(statement, 0);
    *broken = code ? 0 : sqlite3_column_int(statement, 1);
    sqlite3_reset(statement);
    return code;
}

int store_dependants(struct store *store, int64_t job, int64_t **ids, size_t *count, struct err *err)
{
    return collect_ids(store, store_bind(store, DEPENDANTS, "i", job), ids, count, err);
}

int store_changed_jobs(struct store *store, int64_t after_seq, int64_t **ids, size_t *count, struct err *err)
{
    return collect_ids(store, store_bind(store, CHANGED_JOBS, "i", after_seq), ids, count, err);
}

static int visit_event(struct store *store, sqlite3_stmt *s, store_event_visitor *visit, void *context,
                       struct err *err)
{
    json_t *details = json_of(s, 6);
    struct job_event event = {
        .seq = sqlite3_column_int64(s, 0),
        .job = sqlite3_column_int64(s, 1),
        .time_us = sqlite3_column_int64(s, 2),
        .name = job_event_find(text_of(s, 3)),
        .state = job_state_find(text_of(s, 4)),
        .attempt = sqlite3_column_int(s, 5),
        .context = details,
    };
    int code = 0;
    if (event.name == EVENT_MAX || event.state == JOB_STATE_MAX || !details)
        code = err_set(err, -EINVAL, "%s: event %lld is none", store->path, (long long)event.seq);
    else
        code = visit(context, &event);
    json_decref(details);
    return code;
}

int store_each_event(struct store *store, int64_t job, int64_t after_seq, int limit,
                     store_event_visitor *visit, void *context, struct err *err)
{
    sqlite3_stmt *statement =
        store_bind(store, job ? JOB_EVENTS : ALL_EVENTS, "iii", job, after_seq, (int64_t)limit);
    int step, code = 0;
    while (!code && (step = sqlite3_step(statement)) == SQLITE_ROW)
        code = visit_event(store, statement, visit, context, err);
    if (!code && step != SQLITE_DONE)
        code = store_failed(store, err);
    sqlite3_reset(statement);
    return code;
}

static void load_attempt(sqlite3_stmt *s, struct attempt *attempt)
{
    *attempt = (struct attempt){
        .job = sqlite3_column_int64(s, 0),
        .attempt = sqlite3_column_int(s, 1),
        .started_us = sqlite3_column_int64(s, 3),
        .ended_us = sqlite3_column_int64(s, 4),
        .exit_status = sqlite3_column_int(s, 6),
        .signal = sqlite3_column_int(s, 7),
        .pid = sqlite3_column_int64(s, 8),
        .start_ticks = sqlite3_column_int64(s, 9),
    };
    snprintf(attempt->token, sizeof attempt->token, "%s", text_of(s, 2));
    snprintf(attempt->outcome, sizeof attempt->outcome, "%s", text_of(s, 5));
    snprintf(attempt->boot_id, sizeof attempt->boot_id, "%s", text_of(s, 10));
}

int store_each_attempt(struct store *store, int64_t job, store_attempt_visitor *visit, void *context,
                       struct err *err)
{
    sqlite3_stmt *statement = store_bind(store, JOB_ATTEMPTS, "ii", job, (int64_t)0);
    int step, code = 0;
    while (!code && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        struct attempt attempt;
        load_attempt(statement, &attempt);
        code = visit(context, &attempt);
    }
    if (!code && step != SQLITE_DONE)
        code = store_failed(store, err);
    sqlite3_reset(statement);
    return code;
}

int store_find_attempt(struct store *store, int64_t job, int number, struct attempt *attempt, struct err *err)
{
    sqlite3_stmt *statement = store_bind(store, JOB_ATTEMPTS, "ii", job, (int64_t)number);
    int step = number > 0 ? sqlite3_step(statement) : SQLITE_DONE;
    int code = 0;
    if (step == SQLITE_ROW)
        load_attempt(statement, attempt);
    else
        code = step == SQLITE_DONE
                   ? err_set(err, -ENOENT, "job %lld has no attempt %d", (long long)job, number)
                   : store_failed(store, err);
    sqlite3_reset(statement);
    return code;
}

int store_count_states(struct store *store, int64_t counts[JOB_STATE_MAX], struct err *err)
{
    sqlite3_stmt *statement = store_bind(store, COUNT_STATES, "");
    int step;
    memset(counts, 0, JOB_STATE_MAX * sizeof *counts);
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
        enum job_state state = job_state_find(text_of(statement, 0));
        if (state != JOB_STATE_MAX)
            counts[state] = sqlite3_column_int64(statement, 1);
    }
    int code = step == SQLITE_DONE ? 0 : store_failed(store, err);
    sqlite3_reset(statement);
    return code;
}

int store_last_seq(struct store *store, int64_t *seq, struct err *err)
{
    sqlite3_stmt *statement = store_bind(store, LAST_SEQ, "");
    int code = sqlite3_step(statement) == SQLITE_ROW ? 0 : store_failed(store, err);
    *seq = code ? 0 : sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return code;
}
