/* See store.h. SQLite is here and nowhere else.
 *
 * One connection, locking_mode=EXCLUSIVE: nobody else opens the database while decoyd runs. synchronous=FULL:
 * a commit that returned is on the disk. WAL where the file system is local; a rollback journal on a network
 * one, whose shared memory and locks WAL cannot trust. Text from outside is only ever bound, never pasted
 * into SQL. A failed call says so once and is not repeated: after a failed fsync nobody knows what is on the
 * disk. */
#include "daemon/store.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/store_sql.h"
#include "proto/json.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

struct store {
    sqlite3 *db;
    char *path;
    sqlite3_stmt *statements[STATEMENT_MAX];
};

static int failed(struct store *store, struct err *err)
{
    int status = sqlite3_errcode(store->db) & 0xff;
    int code = status == SQLITE_FULL     ? -ENOSPC
               : status == SQLITE_BUSY   ? -EBUSY
               : status == SQLITE_NOTADB ? -EINVAL
               : status == SQLITE_NOMEM  ? -ENOMEM
                                         : -EIO;
    return err_set(err, code, "%s: %s", store->path, sqlite3_errmsg(store->db));
}

/* Binds by the letters of types: i int64, d double, t text or NULL. Returns the statement, ready to step. */
static sqlite3_stmt *bind(struct store *store, enum statement which, const char *types, ...)
{
    sqlite3_stmt *statement = store->statements[which];
    va_list arguments;
    sqlite3_reset(statement);
    va_start(arguments, types);
    for (int i = 1; types[i - 1]; i++) {
        if (types[i - 1] == 'i')
            sqlite3_bind_int64(statement, i, va_arg(arguments, int64_t));
        else if (types[i - 1] == 'd')
            sqlite3_bind_double(statement, i, va_arg(arguments, double));
        else
            sqlite3_bind_text(statement, i, va_arg(arguments, const char *), -1, SQLITE_TRANSIENT);
    }
    va_end(arguments);
    return statement;
}

/* Runs a bound statement that gives no rows. */
static int run(struct store *store, sqlite3_stmt *statement, struct err *err)
{
    int code = sqlite3_step(statement) == SQLITE_DONE ? 0 : failed(store, err);
    sqlite3_reset(statement);
    return code;
}

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

static int is_network(const char *directory, bool *network, struct err *err)
{
    static const unsigned long KINDS[] = {0x6969,     0x517b,     0xff534d42, 0xfe534d42,
                                          0x0bd00bd0, 0x47504653, 0x19830326, 0x65735546,
                                          0x00c36400, 0xaad7aaea, 0x5346414f, 0x01021997};
    struct statfs status;
    *network = false;
    if (statfs(directory, &status) != 0)
        return err_set(err, -errno, "cannot look at %s: %s", directory, strerror(errno));
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        *network |= ((unsigned long)status.f_type & 0xffffffff) == KINDS[i];
    return 0;
}

/* One value that a pragma or a query gives, as text of at most 15 letters. */
static int ask(struct store *store, const char *sql, char answer[16], struct err *err)
{
    sqlite3_stmt *statement = NULL;
    answer[0] = '\0';
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) == SQLITE_OK ? 0 : failed(store, err);
    int step = code ? SQLITE_ERROR : sqlite3_step(statement);
    if (step == SQLITE_ROW)
        snprintf(answer, 16, "%s", text_of(statement, 0) ? text_of(statement, 0) : "");
    else if (!code && step != SQLITE_DONE)
        code = failed(store, err);
    sqlite3_finalize(statement);
    return code;
}

static int execute(struct store *store, const char *sql, struct err *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(store, err);
}

static int configure(struct store *store, bool network, struct err *err)
{
    char answer[16];
    const char *journal = network ? "delete" : "wal";
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_extended_result_codes(store->db, 1);
    int code = execute(
        store, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON", err);
    if (!code)
        code =
            ask(store, network ? "PRAGMA journal_mode = DELETE" : "PRAGMA journal_mode = WAL", answer, err);
    if (!code && strcmp(answer, journal) != 0)
        code = err_set(err, -EIO, "%s: the journal mode is %s, not %s", store->path, answer, journal);
    if (!code)
        code = execute(store, "PRAGMA synchronous = FULL", err);
    if (!code)
        code = ask(store, "PRAGMA synchronous", answer, err);
    if (!code && strcmp(answer, "2") != 0)
        code = err_set(err, -EIO, "%s: synchronous is not FULL", store->path);
    return code;
}

static int create_schema(struct store *store, struct err *err)
{
    CLEANUP(free_ptr)
    char *sql = str_format("BEGIN IMMEDIATE; %s PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                           SCHEMA, APPLICATION_ID, SCHEMA_VERSION);
    return execute(store, sql, err);
}

static int check_version(struct store *store, struct err *err)
{
    char version[16], application[16], expected[16];
    int code = ask(store, "PRAGMA user_version", version, err);
    if (!code)
        code = ask(store, "PRAGMA application_id", application, err);
    if (code)
        return code;
    if (strcmp(version, "0") == 0 && strcmp(application, "0") == 0)
        return create_schema(store, err);
    snprintf(expected, sizeof expected, "%d", APPLICATION_ID);
    if (strcmp(application, expected) != 0)
        return err_set(err, -EINVAL, "%s is not a queue of decoyd", store->path);
    snprintf(expected, sizeof expected, "%d", SCHEMA_VERSION);
    if (strcmp(version, expected) != 0)
        return err_set(err, -EINVAL, "%s has version %s, this decoyd knows version %s only", store->path,
                       version, expected);
    return 0;
}

static int prepare(struct store *store, struct err *err)
{
    for (int i = 0; i < STATEMENT_MAX; i++) {
        if (sqlite3_prepare_v3(store->db, SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i],
                               NULL) != SQLITE_OK)
            return failed(store, err);
    }
    return 0;
}

int store_open(struct store **out, const char *directory, struct err *err)
{
    CLEANUP(store_close_ptr) struct store *store = calloc(1, sizeof *store);
    bool network = false;
    if (!store)
        return err_set(err, -ENOMEM, "out of memory");
    store->path = path_join(directory, "queue.db");
    int code = is_network(directory, &network, err);
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    if (!code && sqlite3_open_v2(store->path, &store->db, flags, NULL) != SQLITE_OK)
        code = store->db ? failed(store, err) : err_set(err, -ENOMEM, "out of memory");
    if (!code)
        code = configure(store, network, err);
    if (!code)
        code = check_version(store, err);
    if (!code)
        code = prepare(store, err);
    if (code)
        return code;
    *out = TAKE(store);
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    for (int i = 0; i < STATEMENT_MAX; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    free(store->path);
    free(store);
}

int store_begin(struct store *store, struct err *err)
{
    return run(store, bind(store, BEGIN, ""), err);
}

int store_commit(struct store *store, struct err *err)
{
    return run(store, bind(store, COMMIT, ""), err);
}

void store_rollback(struct store *store)
{
    if (!sqlite3_get_autocommit(store->db))
        run(store, bind(store, ROLLBACK, ""), NULL);
}

static int add_after(struct store *store, const struct job_row *row, struct err *err)
{
    int code = 0;
    for (size_t i = 0; !code && i < row->after_count; i++)
        code = run(store, bind(store, ADD_AFTER, "ii", row->id, row->after[i]), err);
    return code;
}

int store_add_job(struct store *store, struct job_row *row, struct err *err)
{
    const struct job_life *life = &row->life;
    CLEANUP(free_ptr) char *fields = json_dumps(row->fields, JSON_COMPACT | JSON_REAL_PRECISION(17));
    CLEANUP(free_ptr) char *options = json_dumps(row->options, JSON_COMPACT | JSON_REAL_PRECISION(17));
    sqlite3_stmt *statement =
        bind(store, ADD_JOB,
             "ttttttttiiiidi"
             "tiitiiiit",
             row->kind, row->name, row->group, row->out, row->key, row->body, fields, options,
             (int64_t)row->priority, (int64_t)row->ranks, (int64_t)row->threads, (int64_t)row->retries,
             row->time_limit_s, (int64_t)row->hold, job_state_name(life->state), (int64_t)life->attempt,
             (int64_t)life->failures, job_stop_name(life->stop), life->submitted_us, life->started_us,
             life->ended_us, life->not_before_us, life->reason);
    int code = run(store, statement, err);
    if (code)
        return code;
    row->id = sqlite3_last_insert_rowid(store->db);
    return add_after(store, row, err);
}

int store_update_job(struct store *store, const struct job_row *row, const struct job_life *before,
                     struct err *err)
{
    const struct job_life *life = &row->life;
    CLEANUP(free_ptr)
    char *result = row->result ? json_dumps(row->result, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    sqlite3_stmt *statement =
        bind(store, UPDATE_JOB, "tiitiiiittiti", job_state_name(life->state), (int64_t)life->attempt,
             (int64_t)life->failures, job_stop_name(life->stop), life->submitted_us, life->started_us,
             life->ended_us, life->not_before_us, life->reason, result, row->id,
             job_state_name(before->state), (int64_t)before->attempt);
    int code = run(store, statement, err);
    if (!code && sqlite3_changes(store->db) != 1)
        code = err_set(err, -ESTALE, "job %lld is no longer %s in attempt %d", (long long)row->id,
                       job_state_name(before->state), before->attempt);
    return code;
}

int store_add_event(struct store *store, struct job_event *event, struct err *err)
{
    CLEANUP(free_ptr)
    char *context =
        event->context ? json_dumps(event->context, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    int code = run(store,
                   bind(store, ADD_EVENT, "iittit", event->job, event->time_us, job_event_text(event->name),
                        job_state_name(event->state), (int64_t)event->attempt, context ? context : "{}"),
                   err);
    event->seq = sqlite3_last_insert_rowid(store->db);
    return code;
}

int store_add_attempt(struct store *store, const struct attempt *attempt, struct err *err)
{
    return run(store,
               bind(store, ADD_ATTEMPT, "iitiiit", attempt->job, (int64_t)attempt->attempt, attempt->token,
                    attempt->started_us, attempt->pid, attempt->start_ticks, attempt->boot_id),
               err);
}

int store_end_attempt(struct store *store, const struct attempt *attempt, struct err *err)
{
    int code = run(store,
                   bind(store, END_ATTEMPT, "itiiii", attempt->ended_us, attempt->outcome,
                        (int64_t)attempt->exit_status, (int64_t)attempt->signal, attempt->job,
                        (int64_t)attempt->attempt),
                   err);
    if (!code && sqlite3_changes(store->db) != 1)
        code = err_set(err, -ESTALE, "attempt %d of job %lld has ended before", attempt->attempt,
                       (long long)attempt->job);
    return code;
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
    int code = step == SQLITE_DONE ? 0 : failed(store, err);
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
    int code = collect_ids(store, bind(store, JOB_AFTER, "i", row->id), &row->after, &row->after_count, err);
    if (!code)
        *out = TAKE(row);
    return code;
}

int store_each_job(struct store *store, enum store_selection selection, store_job_visitor *visit,
                   void *context, struct err *err)
{
    sqlite3_stmt *statement = bind(store, selection == STORE_ALL ? ALL_JOBS : LIVE_JOBS, "");
    int step, code = 0;
    while (!code && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
        code = load_row(store, statement, &row, err);
        if (!code)
            code = visit(context, &row);
    }
    if (!code && step != SQLITE_DONE)
        code = failed(store, err);
    sqlite3_reset(statement);
    return code;
}

int store_find_job(struct store *store, int64_t id, struct job_row **row, struct err *err)
{
    sqlite3_stmt *statement = bind(store, FIND_JOB, "i", id);
    int step = sqlite3_step(statement);
    int code = step == SQLITE_ROW    ? load_row(store, statement, row, err)
               : step == SQLITE_DONE ? err_set(err, -ENOENT, "there is no job %lld", (long long)id)
                                     : failed(store, err);
    sqlite3_reset(statement);
    return code;
}

int store_find_key(struct store *store, const char *key, const char *body, int64_t *id, bool *same,
                   struct err *err)
{
    sqlite3_stmt *statement = bind(store, FIND_KEY, "t", key);
    int step = sqlite3_step(statement);
    const char *stored = step == SQLITE_ROW ? text_of(statement, 1) : NULL;
    *id = step == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    *same = stored && strcmp(stored, body) == 0;
    int code = step == SQLITE_ROW || step == SQLITE_DONE ? 0 : failed(store, err);
    sqlite3_reset(statement);
    return code;
}

int store_load_spec(struct store *store, struct job_row *row, struct err *err)
{
    sqlite3_stmt *statement = bind(store, JOB_SPEC, "i", row->id);
    int code = sqlite3_step(statement) == SQLITE_ROW ? 0 : failed(store, err);
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
    sqlite3_stmt *statement = bind(store, DEPENDENCIES, "i", job);
    int code = sqlite3_step(statement) == SQLITE_ROW ? 0 : failed(store, err);
    *unmet = code ? 0 : sqlite3_column_int(statement, 0);
    *broken = code ? 0 : sqlite3_column_int(statement, 1);
    sqlite3_reset(statement);
    return code;
}

int store_dependants(struct store *store, int64_t job, int64_t **ids, size_t *count, struct err *err)
{
    return collect_ids(store, bind(store, DEPENDANTS, "i", job), ids, count, err);
}

int store_changed_jobs(struct store *store, int64_t after_seq, int64_t **ids, size_t *count, struct err *err)
{
    return collect_ids(store, bind(store, CHANGED_JOBS, "i", after_seq), ids, count, err);
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
        bind(store, job ? JOB_EVENTS : ALL_EVENTS, "iii", job, after_seq, (int64_t)limit);
    int step, code = 0;
    while (!code && (step = sqlite3_step(statement)) == SQLITE_ROW)
        code = visit_event(store, statement, visit, context, err);
    if (!code && step != SQLITE_DONE)
        code = failed(store, err);
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
    sqlite3_stmt *statement = bind(store, JOB_ATTEMPTS, "ii", job, (int64_t)0);
    int step, code = 0;
    while (!code && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        struct attempt attempt;
        load_attempt(statement, &attempt);
        code = visit(context, &attempt);
    }
    if (!code && step != SQLITE_DONE)
        code = failed(store, err);
    sqlite3_reset(statement);
    return code;
}

int store_find_attempt(struct store *store, int64_t job, int number, struct attempt *attempt, struct err *err)
{
    sqlite3_stmt *statement = bind(store, JOB_ATTEMPTS, "ii", job, (int64_t)number);
    int step = number > 0 ? sqlite3_step(statement) : SQLITE_DONE;
    int code = 0;
    if (step == SQLITE_ROW)
        load_attempt(statement, attempt);
    else
        code = step == SQLITE_DONE
                   ? err_set(err, -ENOENT, "job %lld has no attempt %d", (long long)job, number)
                   : failed(store, err);
    sqlite3_reset(statement);
    return code;
}

int store_count_states(struct store *store, int64_t counts[JOB_STATE_MAX], struct err *err)
{
    sqlite3_stmt *statement = bind(store, COUNT_STATES, "");
    int step;
    memset(counts, 0, JOB_STATE_MAX * sizeof *counts);
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
        enum job_state state = job_state_find(text_of(statement, 0));
        if (state != JOB_STATE_MAX)
            counts[state] = sqlite3_column_int64(statement, 1);
    }
    int code = step == SQLITE_DONE ? 0 : failed(store, err);
    sqlite3_reset(statement);
    return code;
}

int store_last_seq(struct store *store, int64_t *seq, struct err *err)
{
    sqlite3_stmt *statement = bind(store, LAST_SEQ, "");
    int code = sqlite3_step(statement) == SQLITE_ROW ? 0 : failed(store, err);
    *seq = code ? 0 : sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return code;
}
