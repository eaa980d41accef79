/* See store.h: opening and changing. SQLite is here, in store_schema.c and in store_read.c, and nowhere else.
 *
 * One connection, locking_mode=EXCLUSIVE: nobody else opens the database while decoyd runs. synchronous=FULL:
 * a commit that returned is on the disk. WAL where the file system is local; a rollback journal on a network
 * one, whose shared memory and locks WAL cannot trust. Text from outside is only ever bound, never pasted
 * into SQL. A failed call says so once and is not repeated: after a failed fsync nobody knows what is on the
 * disk. */
#include "daemon/store.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/store_private.h"
#include "daemon/store_sql.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

int store_failed(struct store *store, struct err *err)
{
    int status = sqlite3_errcode(store->db) & 0xff;
    int code = status == SQLITE_FULL     ? -ENOSPC
               : status == SQLITE_BUSY   ? -EBUSY
               : status == SQLITE_NOTADB ? -EINVAL
               : status == SQLITE_NOMEM  ? -ENOMEM
                                         : -EIO;
    store->full = code == -ENOSPC;
    return err_set(err, code, "%s: %s", store->path, sqlite3_errmsg(store->db));
}

sqlite3_stmt *store_bind(struct store *store, enum statement which, const char *types, ...)
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
    int code = sqlite3_step(statement) == SQLITE_DONE ? 0 : store_failed(store, err);
    sqlite3_reset(statement);
    return code;
}

/* What a directory's file system asks of the database. */
struct ground {
    bool network;
    int log_pages; /* the log is written back whenever it has so many */
};

/* The log may take a sixteenth of a small disk: what is written back may need as much again, and a disk that only the log
 * has filled could never be freed. */
static int log_pages_of(const struct statfs *status)
{
    enum { PAGE = 4096, LEAST = 16, MOST = 1000 };
    double pages = (double)status->f_blocks * (double)status->f_bsize / 16 / PAGE;
    bool bounded = status->f_blocks > 0; /* a tmpfs may be unbounded */
    return !bounded || pages > MOST ? MOST : pages < LEAST ? LEAST : (int)pages;
}

static int survey(const char *directory, struct ground *ground, struct err *err)
{
    static const unsigned long KINDS[] = {0x6969,     0x517b,     0xff534d42, 0xfe534d42,
                                          0x0bd00bd0, 0x47504653, 0x19830326, 0x65735546,
                                          0x00c36400, 0xaad7aaea, 0x5346414f, 0x01021997};
    struct statfs status;
    if (statfs(directory, &status) != 0)
        return err_set(err, -errno, "cannot look at %s: %s", directory, strerror(errno));
    *ground = (struct ground){.log_pages = log_pages_of(&status)};
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        ground->network |= ((unsigned long)status.f_type & 0xffffffff) == KINDS[i];
    return 0;
}

int store_ask(struct store *store, const char *sql, char answer[16], struct err *err)
{
    sqlite3_stmt *statement = NULL;
    answer[0] = '\0';
    int code =
        sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) == SQLITE_OK ? 0 : store_failed(store, err);
    int step = code ? SQLITE_ERROR : sqlite3_step(statement);
    if (step == SQLITE_ROW)
        snprintf(answer, 16, "%s", (const char *)sqlite3_column_text(statement, 0));
    else if (!code && step != SQLITE_DONE)
        code = store_failed(store, err);
    sqlite3_finalize(statement);
    return code;
}

int store_execute(struct store *store, const char *sql, struct err *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_failed(store, err);
}

static int configure(struct store *store, const struct ground *ground, struct err *err)
{
    char answer[16];
    const char *journal = ground->network ? "delete" : "wal";
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_wal_autocheckpoint(store->db, ground->log_pages);
    int code = store_execute(
        store, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON", err);
    if (!code)
        code =
            store_ask(store, ground->network ? "PRAGMA journal_mode = DELETE" : "PRAGMA journal_mode = WAL",
                      answer, err);
    if (!code && strcmp(answer, journal) != 0)
        code = err_set(err, -EIO, "%s: the journal mode is %s, not %s", store->path, answer, journal);
    if (!code)
        code = store_execute(store, "PRAGMA synchronous = FULL", err);
    if (!code)
        code = store_ask(store, "PRAGMA synchronous", answer, err);
    if (!code && strcmp(answer, "2") != 0)
        code = err_set(err, -EIO, "%s: synchronous is not FULL", store->path);
    return code;
}

static int prepare(struct store *store, struct err *err)
{
    for (int i = 0; i < STATEMENT_MAX; i++) {
        if (sqlite3_prepare_v3(store->db, SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i],
                               NULL) != SQLITE_OK)
            return store_failed(store, err);
    }
    return 0;
}

int store_open(struct store **out, const char *directory, int *from_version, struct err *err)
{
    int from = 0;
    CLEANUP(store_close_ptr) struct store *store = calloc(1, sizeof *store);
    struct ground ground = {0};
    if (!store)
        return err_set(err, -ENOMEM, "out of memory");
    store->path = path_join(directory, "queue.db");
    int code = survey(directory, &ground, err);
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    if (!code && sqlite3_open_v2(store->path, &store->db, flags, NULL) != SQLITE_OK)
        code = store->db ? store_failed(store, err) : err_set(err, -ENOMEM, "out of memory");
    if (!code)
        code = configure(store, &ground, err);
    if (!code)
        code = store_check_schema(store, from_version ? from_version : &from, err);
    if (!code) /* SQLite does so for a journal that it made, not for the database, and not for a journal that it found */
        code = file_sync_directory(directory, err);
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
    return run(store, store_bind(store, BEGIN, ""), err);
}

int store_commit(struct store *store, struct err *err)
{
    double begun_s = clock_monotonic_s();
    int code = run(store, store_bind(store, COMMIT, ""), err);
    histogram_add(&store->commits, clock_monotonic_s() - begun_s);
    return code;
}

const struct histogram *store_commits(const struct store *store)
{
    return &store->commits;
}

/* The log grows until it is written back; on a small disk it may be what fills it. A write-back that fails has changed nothing
 * that counts: the log stays, and the next one begins where this one did. */
static void write_back(struct store *store)
{
    store->full = false;
    sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

void store_rollback(struct store *store)
{
    store->counted = false;
    if (!sqlite3_get_autocommit(store->db))
        run(store, store_bind(store, ROLLBACK, ""), NULL);
    if (store->full)
        write_back(store);
}

int store_mark(struct store *store, struct err *err)
{
    return run(store, store_bind(store, MARK, ""), err);
}

int store_keep(struct store *store, struct err *err)
{
    return run(store, store_bind(store, KEEP, ""), err);
}

int store_rewind(struct store *store, struct err *err)
{
    store->counted = false;
    int code = run(store, store_bind(store, REWIND, ""), err);
    return code ? code : store_keep(store, err);
}

static int add_after(struct store *store, const struct job_row *row, struct err *err)
{
    int code = 0;
    for (size_t i = 0; !code && i < row->after_count; i++)
        code = run(store,
                   store_bind(store, ADD_AFTER, "iii", row->id, row->after[i].id, (int64_t)row->after[i].any),
                   err);
    return code;
}

int store_add_job(struct store *store, struct job_row *row, struct err *err)
{
    const struct job_life *life = &row->life;
    CLEANUP(free_ptr) char *fields = json_dumps(row->fields, JSON_COMPACT | JSON_REAL_PRECISION(17));
    CLEANUP(free_ptr) char *options = json_dumps(row->options, JSON_COMPACT | JSON_REAL_PRECISION(17));
    sqlite3_stmt *statement =
        store_bind(store, ADD_JOB,
                   "ttttttttiiiidi"
                   "tiitiiiittid",
                   row->kind, row->name, row->group, row->out, row->key, row->body, fields, options,
                   (int64_t)life->priority, (int64_t)row->ranks, (int64_t)row->threads, (int64_t)row->retries,
                   row->time_limit_s, (int64_t)row->hold, job_state_name(life->state), (int64_t)life->attempt,
                   (int64_t)life->failures, job_stop_name(life->stop), life->submitted_us, life->started_us,
                   life->ended_us, life->not_before_us, life->reason, row->tag, row->array, row->backoff_s);
    int code = run(store, statement, err);
    if (code)
        return code;
    row->id = sqlite3_last_insert_rowid(store->db);
    if (row->array < 0) {
        row->array = row->id;
        code = run(store, store_bind(store, HEAD_ARRAY, "i", row->id), err);
    }
    store->counts[life->state]++;
    return code ? code : add_after(store, row, err);
}

int store_update_job(struct store *store, const struct job_row *row, const struct job_life *before,
                     struct err *err)
{
    const struct job_life *life = &row->life;
    CLEANUP(free_ptr)
    char *result = row->result ? json_dumps(row->result, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    sqlite3_stmt *statement =
        store_bind(store, UPDATE_JOB, "tiitiiiittiiti", job_state_name(life->state), (int64_t)life->attempt,
                   (int64_t)life->failures, job_stop_name(life->stop), life->submitted_us, life->started_us,
                   life->ended_us, life->not_before_us, life->reason, result, (int64_t)life->priority,
                   row->id, job_state_name(before->state), (int64_t)before->attempt);
    int code = run(store, statement, err);
    if (!code && sqlite3_changes(store->db) != 1)
        code = err_set(err, -ESTALE, "job %lld is no longer %s in attempt %d", (long long)row->id,
                       job_state_name(before->state), before->attempt);
    store->counts[before->state]--;
    store->counts[life->state]++;
    return code;
}

int store_add_event(struct store *store, struct job_event *event, struct err *err)
{
    CLEANUP(free_ptr)
    char *context =
        event->context ? json_dumps(event->context, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    int code =
        run(store,
            store_bind(store, ADD_EVENT, "iittit", event->job, event->time_us, job_event_text(event->name),
                       job_state_name(event->state), (int64_t)event->attempt, context ? context : "{}"),
            err);
    event->seq = sqlite3_last_insert_rowid(store->db);
    return code;
}

int store_add_attempt(struct store *store, const struct attempt *attempt, struct err *err)
{
    return run(store,
               store_bind(store, ADD_ATTEMPT, "iitiiit", attempt->job, (int64_t)attempt->attempt,
                          attempt->token, attempt->started_us, attempt->pid, attempt->start_ticks,
                          attempt->boot_id),
               err);
}

int store_end_attempt(struct store *store, const struct attempt *attempt, struct err *err)
{
    int code = run(store,
                   store_bind(store, END_ATTEMPT, "itiiii", attempt->ended_us, attempt->outcome,
                              (int64_t)attempt->exit_status, (int64_t)attempt->signal, attempt->job,
                              (int64_t)attempt->attempt),
                   err);
    if (!code && sqlite3_changes(store->db) != 1)
        code = err_set(err, -ESTALE, "attempt %d of job %lld has ended before", attempt->attempt,
                       (long long)attempt->job);
    return code;
}

int store_forget_job(struct store *store, int64_t id, struct err *err)
{
    static const enum statement STEPS[] = {FORGET_AFTER, FORGET_EVENTS, FORGET_ATTEMPTS, FORGET_JOB};
    int code = 0;
    store->counted = false;
    for (size_t i = 0; !code && i < sizeof STEPS / sizeof *STEPS; i++)
        code = run(store, store_bind(store, STEPS[i], "i", id), err);
    if (!code && sqlite3_changes(store->db) != 1)
        code = err_set(err, -ESTALE, "job %lld has not ended", (long long)id);
    return code;
}

int store_set(struct store *store, const char *name, const char *value, struct err *err)
{
    return run(store, store_bind(store, SET, "tt", name, value), err);
}
