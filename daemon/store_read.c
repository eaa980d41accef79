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
    size_t size = text ? (size_t)sqlite3_column_bytes(statement, column) + 1 : 0;
    char *copy = size ? malloc(size) : NULL;
    if (size && !copy)
        abort();
    return size ? memcpy(copy, text, size) : NULL;
}

static json_t *json_of(sqlite3_stmt *statement, int column)
{
    const char *text = text_of(statement, column);
    return text ? json_loads(text, 0, NULL) : NULL;
}

/* Is given each row of a statement; returns 0 to go on. */
typedef int row_visitor(struct store *store, sqlite3_stmt *s, void *context, struct err *err);

/* Goes over the rows of a bound statement. Returns how many there were, or the first error. */
static int each(struct store *store, sqlite3_stmt *statement, row_visitor *visit, void *context,
                struct err *err)
{
    int step, code = 0, count = 0;
    while (!code && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        code = visit(store, statement, context, err);
        count++;
    }
    if (!code && step != SQLITE_DONE)
        code = store_failed(store, err);
    sqlite3_reset(statement);
    return code ? code : count;
}

/* Of each's word, where it does not matter how many there were. */
static int any_number(int count)
{
    return count < 0 ? count : 0;
}

/* A growing array, its items as large as an id or a job_after. */
struct list {
    void *items;
    size_t count, room;
};

static void *next_item(struct list *list, size_t size)
{
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 16;
        list->items = realloc(list->items, list->room * size);
        if (!list->items)
            abort();
    }
    return (char *)list->items + list->count++ * size;
}

static int take_id(struct store *store, sqlite3_stmt *s, void *context, struct err *err)
{
    (void)store, (void)err;
    *(int64_t *)next_item(context, sizeof(int64_t)) = sqlite3_column_int64(s, 0);
    return 0;
}

/* Numbers of a one-column query; *ids is the caller's. */
static int collect_ids(struct store *store, sqlite3_stmt *statement, int64_t **ids, size_t *count,
                       struct err *err)
{
    struct list list = {0};
    int code = any_number(each(store, statement, take_id, &list, err));
    if (code)
        free(list.items);
    *ids = code ? NULL : list.items;
    *count = code ? 0 : list.count;
    return code;
}

static int take_after(struct store *store, sqlite3_stmt *s, void *context, struct err *err)
{
    (void)store, (void)err;
    *(struct job_after *)next_item(context, sizeof(struct job_after)) =
        (struct job_after){sqlite3_column_int64(s, 0), sqlite3_column_int(s, 1)};
    return 0;
}

static int load_after(struct store *store, struct job_row *row, struct err *err)
{
    struct list list = {0};
    int code = any_number(each(store, store_bind(store, JOB_AFTER, "i", row->id), take_after, &list, err));
    row->after = list.items;
    row->after_count = list.count;
    return code;
}

static int load_life(sqlite3_stmt *s, struct job_life *life)
{
    const char *state = text_of(s, 11), *stop = text_of(s, 14), *reason = text_of(s, 19);
    life->state = state ? job_state_find(state) : JOB_STATE_MAX;
    life->stop = stop ? job_stop_find(stop) : STOP_MAX;
    life->priority = sqlite3_column_int(s, 5);
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
    row->ranks = sqlite3_column_int(s, 6);
    row->threads = sqlite3_column_int(s, 7);
    row->retries = sqlite3_column_int(s, 8);
    row->time_limit_s = sqlite3_column_double(s, 9);
    row->hold = sqlite3_column_int(s, 10);
    row->result = json_of(s, 20);
    row->tag = copy_of(s, 21);
    row->array = sqlite3_column_int64(s, 22);
    row->backoff_s = sqlite3_column_double(s, 23);
    if (load_life(s, &row->life) != 0)
        return err_set(err, -EINVAL, "%s: job %lld is in a state that is none", store->path,
                       (long long)row->id);
    int code = sqlite3_column_int(s, 24) ? load_after(store, row, err) : 0;
    if (!code)
        *out = TAKE(row);
    return code;
}

struct job_visit {
    store_job_visitor *visit;
    void *context;
};

static int visit_job(struct store *store, sqlite3_stmt *s, void *context, struct err *err)
{
    const struct job_visit *visit = context;
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    int code = load_row(store, s, &row, err);
    return code ? code : visit->visit(visit->context, &row);
}

int store_each_job(struct store *store, enum store_selection selection, store_job_visitor *visit,
                   void *context, struct err *err)
{
    struct job_visit visit_rows = {visit, context};
    static const enum statement STATEMENTS[] = {[STORE_LIVE] = LIVE_JOBS, [STORE_ENDED] = ENDED_JOBS, [STORE_ALL] = ALL_JOBS};
    sqlite3_stmt *statement = store_bind(store, STATEMENTS[selection], "");
    return any_number(each(store, statement, visit_job, &visit_rows, err));
}

static int take_row(struct store *store, sqlite3_stmt *s, void *context, struct err *err)
{
    return load_row(store, s, context, err);
}

int store_find_job(struct store *store, int64_t id, struct job_row **row, struct err *err)
{
    int count = each(store, store_bind(store, FIND_JOB, "i", id), take_row, row, err);
    return count == 0 ? err_set(err, -ENOENT, "there is no job %lld", (long long)id) : any_number(count);
}

struct key {
    const char *body;
    int64_t id;
    bool same;
};

static int take_key(struct store *store, sqlite3_stmt *s, void *context, struct err *err)
{
    struct key *key = context;
    const char *stored = text_of(s, 1);
    (void)store, (void)err;
    key->id = sqlite3_column_int64(s, 0);
    key->same = stored && strcmp(stored, key->body) == 0;
    return 0;
}

int store_find_key(struct store *store, const char *key, const char *body, int64_t *id, bool *same,
                   struct err *err)
{
    struct key found = {.body = body};
    int count = each(store, store_bind(store, FIND_KEY, "t", key), take_key, &found, err);
    *id = found.id;
    *same = found.same;
    return any_number(count);
}

static int take_spec(struct store *store, sqlite3_stmt *s, void *context, struct err *err)
{
    struct job_row *row = context;
    json_decref(row->fields);
    json_decref(row->options);
    row->fields = json_of(s, 0);
    row->options = json_of(s, 1);
    if (!row->fields || !row->options)
        return err_set(err, -EINVAL, "%s: the spec of job %lld is not JSON", store->path, (long long)row->id);
    return 0;
}

int store_load_spec(struct store *store, struct job_row *row, struct err *err)
{
    int count = each(store, store_bind(store, JOB_SPEC, "i", row->id), take_spec, row, err);
    return count == 0 ? err_set(err, -ENOENT, "there is no job %lld", (long long)row->id) : any_number(count);
}

struct dependencies {
    int unmet;
    int64_t broken;
};

static int take_dependencies(struct store *store, sqlite3_stmt *s, void *context, struct err *err)
{
    (void)store, (void)err;
    *(struct dependencies *)context =
        (struct dependencies){sqlite3_column_int(s, 0), sqlite3_column_int64(s, 1)};
    return 0;
}

int store_dependencies(struct store *store, int64_t job, int *unmet, int64_t *broken, struct err *err)
{
    struct dependencies found = {0};
    int count = each(store, store_bind(store, DEPENDENCIES, "i", job), take_dependencies, &found, err);
    *unmet = found.unmet;
    *broken = found.broken;
    return any_number(count);
}

int store_dependants(struct store *store, int64_t job, int64_t **ids, size_t *count, struct err *err)
{
    return collect_ids(store, store_bind(store, DEPENDANTS, "i", job), ids, count, err);
}

int store_changed_jobs(struct store *store, int64_t after_seq, int64_t **ids, size_t *count, struct err *err)
{
    return collect_ids(store, store_bind(store, CHANGED_JOBS, "i", after_seq), ids, count, err);
}

int store_old_jobs(struct store *store, int64_t before_us, int limit, int64_t **ids, size_t *count,
                   struct err *err)
{
    return collect_ids(store, store_bind(store, OLD_JOBS, "ii", before_us, (int64_t)limit), ids, count, err);
}

struct event_visit {
    store_event_visitor *visit;
    void *context;
};

static int visit_event(struct store *store, sqlite3_stmt *s, void *context, struct err *err)
{
    const struct event_visit *visit = context;
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
        code = visit->visit(visit->context, &event);
    json_decref(details);
    return code;
}

int store_each_event(struct store *store, int64_t job, int64_t after_seq, int limit,
                     store_event_visitor *visit, void *context, struct err *err)
{
    struct event_visit visit_events = {visit, context};
    sqlite3_stmt *statement =
        store_bind(store, job ? JOB_EVENTS : ALL_EVENTS, "iii", job, after_seq, (int64_t)limit);
    return any_number(each(store, statement, visit_event, &visit_events, err));
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

struct attempt_visit {
    store_attempt_visitor *visit;
    void *context;
};

static int visit_attempt(struct store *store, sqlite3_stmt *s, void *context, struct err *err)
{
    const struct attempt_visit *visit = context;
    struct attempt attempt;
    (void)store, (void)err;
    load_attempt(s, &attempt);
    return visit->visit(visit->context, &attempt);
}

int store_each_attempt(struct store *store, int64_t job, store_attempt_visitor *visit, void *context,
                       struct err *err)
{
    struct attempt_visit visit_attempts = {visit, context};
    sqlite3_stmt *statement = store_bind(store, JOB_ATTEMPTS, "ii", job, (int64_t)0);
    return any_number(each(store, statement, visit_attempt, &visit_attempts, err));
}

static int take_attempt(struct store *store, sqlite3_stmt *s, void *context, struct err *err)
{
    (void)store, (void)err;
    load_attempt(s, context);
    return 0;
}

int store_find_attempt(struct store *store, int64_t job, int number, struct attempt *attempt, struct err *err)
{
    sqlite3_stmt *statement = store_bind(store, JOB_ATTEMPTS, "ii", job, (int64_t)number);
    int count = number > 0 ? each(store, statement, take_attempt, attempt, err) : 0;
    return count == 0 ? err_set(err, -ENOENT, "job %lld has no attempt %d", (long long)job, number)
                      : any_number(count);
}

struct counts {
    int64_t *counts, last;
};

static int take_count(struct store *store, sqlite3_stmt *s, void *context, struct err *err)
{
    struct counts *found = context;
    enum job_state state = job_state_find(text_of(s, 0));
    (void)store, (void)err;
    if (state != JOB_STATE_MAX)
        found->counts[state] = sqlite3_column_int64(s, 1);
    if (sqlite3_column_count(s) > 2 && sqlite3_column_int64(s, 2) > found->last)
        found->last = sqlite3_column_int64(s, 2);
    return 0;
}

int store_count_states(struct store *store, int64_t counts[JOB_STATE_MAX], struct err *err)
{
    struct counts found = {.counts = store->counts};
    int code = 0;
    if (!store->counted) {
        memset(store->counts, 0, sizeof store->counts);
        code = any_number(each(store, store_bind(store, COUNT_STATES, ""), take_count, &found, err));
    }
    store->counted = code == 0;
    memcpy(counts, store->counts, sizeof store->counts);
    return code;
}

int store_count_array(struct store *store, int64_t array, int64_t counts[JOB_STATE_MAX], int64_t *last,
                      struct err *err)
{
    struct counts found = {.counts = counts};
    memset(counts, 0, JOB_STATE_MAX * sizeof *counts);
    int code = any_number(each(store, store_bind(store, COUNT_ARRAY, "i", array), take_count, &found, err));
    *last = found.last;
    return code;
}

static int take_number(struct store *store, sqlite3_stmt *s, void *context, struct err *err)
{
    (void)store, (void)err;
    *(int64_t *)context = sqlite3_column_int64(s, 0);
    return 0;
}

int store_last_seq(struct store *store, int64_t *seq, struct err *err)
{
    *seq = 0;
    return any_number(each(store, store_bind(store, LAST_SEQ, ""), take_number, seq, err));
}

static int take_text(struct store *store, sqlite3_stmt *s, void *context, struct err *err)
{
    (void)store, (void)err;
    *(char **)context = copy_of(s, 0);
    return 0;
}

int store_setting(struct store *store, const char *name, char **value, struct err *err)
{
    *value = NULL;
    return any_number(each(store, store_bind(store, SETTING, "t", name), take_text, value, err));
}
