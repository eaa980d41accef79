/* The schema and every statement of store.c; included by it alone. Statements are prepared once, at open. */

#define SCHEMA_VERSION 1
#define APPLICATION_ID 0x64656379 /* "decy" */

static const char SCHEMA[] =
    "CREATE TABLE jobs ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT, grp TEXT, out TEXT, key TEXT "
    "UNIQUE,"
    " body TEXT, fields TEXT NOT NULL, options TEXT NOT NULL, priority INTEGER NOT NULL, ranks INTEGER NOT "
    "NULL,"
    " threads INTEGER NOT NULL, retries INTEGER NOT NULL, time_limit_s REAL NOT NULL, hold INTEGER NOT NULL,"
    " state TEXT NOT NULL, attempt INTEGER NOT NULL, failures INTEGER NOT NULL, stop TEXT NOT NULL,"
    " submitted_us INTEGER NOT NULL, started_us INTEGER NOT NULL, ended_us INTEGER NOT NULL,"
    " not_before_us INTEGER NOT NULL, reason TEXT NOT NULL, result TEXT) STRICT;"
    "CREATE INDEX jobs_live ON jobs (id) WHERE ended_us = 0;"
    "CREATE TABLE after ("
    " job INTEGER NOT NULL REFERENCES jobs (id), prior INTEGER NOT NULL REFERENCES jobs (id),"
    " PRIMARY KEY (job, prior), CHECK (prior < job)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX after_prior ON after (prior);"
    "CREATE TABLE events ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL REFERENCES jobs (id), time_us INTEGER NOT "
    "NULL,"
    " name TEXT NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL, context TEXT NOT NULL) STRICT;"
    "CREATE INDEX events_job ON events (job, seq);"
    "CREATE TABLE attempts ("
    " job INTEGER NOT NULL REFERENCES jobs (id), attempt INTEGER NOT NULL, token TEXT NOT NULL,"
    " started_us INTEGER NOT NULL, ended_us INTEGER NOT NULL, outcome TEXT NOT NULL, exit_status INTEGER NOT "
    "NULL,"
    " signal INTEGER NOT NULL, pid INTEGER NOT NULL, start_ticks INTEGER NOT NULL, boot_id TEXT NOT NULL,"
    " PRIMARY KEY (job, attempt)) STRICT, WITHOUT ROWID;";

#define JOB_COLUMNS                                                                                          \
    "id, kind, name, grp, out, priority, ranks, threads, retries, time_limit_s, hold, state, attempt, "      \
    "failures, "                                                                                             \
    "stop, submitted_us, started_us, ended_us, not_before_us, reason, result"

static const char *const SQL[STATEMENT_MAX] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [ADD_JOB] = "INSERT INTO jobs (kind, name, grp, out, key, body, fields, options, priority, ranks, "
                "threads, retries,"
                " time_limit_s, hold, state, attempt, failures, stop, submitted_us, started_us, ended_us,"
                " not_before_us, reason) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ADD_AFTER] = "INSERT INTO after (job, prior) VALUES (?,?)",
    [UPDATE_JOB] =
        "UPDATE jobs SET state = ?, attempt = ?, failures = ?, stop = ?, submitted_us = ?, started_us = ?,"
        " ended_us = ?, not_before_us = ?, reason = ?, result = ? WHERE id = ? AND state = ? AND attempt = ?",
    [ADD_EVENT] = "INSERT INTO events (job, time_us, name, state, attempt, context) VALUES (?,?,?,?,?,?)",
    [ADD_ATTEMPT] =
        "INSERT INTO attempts (job, attempt, token, started_us, ended_us, outcome, exit_status, signal, pid,"
        " start_ticks, boot_id) VALUES (?,?,?,?,0,'',0,0,?,?,?)",
    [END_ATTEMPT] = "UPDATE attempts SET ended_us = ?, outcome = ?, exit_status = ?, signal = ?"
                    " WHERE job = ? AND attempt = ? AND ended_us = 0",
    [LIVE_JOBS] = "SELECT " JOB_COLUMNS " FROM jobs WHERE ended_us = 0 ORDER BY id",
    [ALL_JOBS] = "SELECT " JOB_COLUMNS " FROM jobs ORDER BY id",
    [FIND_JOB] = "SELECT " JOB_COLUMNS " FROM jobs WHERE id = ?",
    [FIND_KEY] = "SELECT id, body FROM jobs WHERE key = ?",
    [JOB_SPEC] = "SELECT fields, options FROM jobs WHERE id = ?",
    [JOB_AFTER] = "SELECT prior FROM after WHERE job = ? ORDER BY prior",
    [DEPENDENCIES] = "SELECT count(*) FILTER (WHERE ended_us = 0),"
                     " count(*) FILTER (WHERE ended_us <> 0 AND state <> 'succeeded')"
                     " FROM after JOIN jobs ON jobs.id = after.prior WHERE after.job = ?",
    [DEPENDANTS] = "SELECT job FROM after WHERE prior = ? ORDER BY job",
    [CHANGED_JOBS] = "SELECT DISTINCT job FROM events WHERE seq > ? ORDER BY job",
    [ALL_EVENTS] = "SELECT seq, job, time_us, name, state, attempt, context FROM events"
                   " WHERE seq > ?2 AND ?1 = 0 ORDER BY seq LIMIT ?3",
    [JOB_EVENTS] = "SELECT seq, job, time_us, name, state, attempt, context FROM events"
                   " WHERE job = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
    [JOB_ATTEMPTS] =
        "SELECT job, attempt, token, started_us, ended_us, outcome, exit_status, signal, pid, start_ticks,"
        " boot_id FROM attempts WHERE job = ?1 AND (?2 = 0 OR attempt = ?2) ORDER BY attempt",
    [COUNT_STATES] = "SELECT state, count(*) FROM jobs GROUP BY state",
    [LAST_SEQ] = "SELECT coalesce(max(seq), 0) FROM events",
};
