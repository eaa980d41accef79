/* What the files of the store share; nobody else includes it. */
#ifndef DECOY_DAEMON_STORE_PRIVATE_H
#define DECOY_DAEMON_STORE_PRIVATE_H

#include "daemon/store.h"

#include <sqlite3.h>

/* The prepared statements; their text is in store_sql.h. */
enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    MARK,
    KEEP,
    REWIND,
    ADD_JOB,
    HEAD_ARRAY,
    ADD_AFTER,
    UPDATE_JOB,
    ADD_EVENT,
    ADD_ATTEMPT,
    END_ATTEMPT,
    LIVE_JOBS,
    ENDED_JOBS,
    ALL_JOBS,
    FIND_JOB,
    FIND_KEY,
    JOB_SPEC,
    JOB_AFTER,
    DEPENDENCIES,
    DEPENDANTS,
    CHANGED_JOBS,
    ALL_EVENTS,
    JOB_EVENTS,
    JOB_ATTEMPTS,
    OLD_JOBS,
    FORGET_AFTER,
    FORGET_EVENTS,
    FORGET_ATTEMPTS,
    FORGET_JOB,
    SETTING,
    SET,
    COUNT_STATES,
    COUNT_ARRAY,
    LAST_SEQ,
    STATEMENT_MAX
};

struct store {
    sqlite3 *db;
    char *path;
    bool full; /* the last failure was that of a full disk */
    struct histogram commits;
    int64_t counts[JOB_STATE_MAX]; /* of the jobs in each state, as the open transaction has them; */
    bool counted;                  /* if so: to count is to read all jobs, 0.4 s for a million */
    sqlite3_stmt *statements[STATEMENT_MAX];
};

/* The last error as a negative errno and a sentence that names the database. */
int store_failed(struct store *store, struct err *err);

/* Makes the tables of a new database, or brings an older one's up to date (store_schema.c). */
int store_check_schema(struct store *store, int *from_version, struct err *err);

/* Text of SQL without parameters, and the one value of a pragma as at most 15 letters. */
int store_execute(struct store *store, const char *sql, struct err *err);
int store_ask(struct store *store, const char *sql, char answer[16], struct err *err);

/* Binds by the letters of types: i int64, d double, t text or NULL. Returns the statement, ready to step; who
 * steps it resets it. */
sqlite3_stmt *store_bind(struct store *store, enum statement which, const char *types, ...);

#endif
