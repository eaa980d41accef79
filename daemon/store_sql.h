/* Every statement of the store; included by store.c alone. Statements are prepared once, at open. */

#define JOB_COLUMNS                                                                                          \
    "id, kind, name, grp, out, priority, ranks, threads, retries, time_limit_s, hold, state, attempt, "      \
    "failures, stop, submitted_us, started_us, ended_us, not_before_us, reason, result, tag, array, "        \
    "backoff_s, EXISTS (SELECT 1 FROM after WHERE after.job = jobs.id)"

static const char *const SQL[STATEMENT_MAX] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [MARK] = "SAVEPOINT part",
    [KEEP] = "RELEASE part",
    [REWIND] = "ROLLBACK TO part",
    [ADD_JOB] = "INSERT INTO jobs (kind, name, grp, out, key, body, fields, options, priority, ranks, "
                "threads, retries,"
                " time_limit_s, hold, state, attempt, failures, stop, submitted_us, started_us, ended_us,"
                " not_before_us, reason, tag, array, backoff_s)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,nullif(?, 0),?)",
    [HEAD_ARRAY] = "UPDATE jobs SET array = id WHERE id = ?",
    [ADD_AFTER] = "INSERT INTO after (job, prior, any) VALUES (?,?,?)",
    [UPDATE_JOB] =
        "UPDATE jobs SET state = ?, attempt = ?, failures = ?, stop = ?, submitted_us = ?, started_us = ?,"
        " ended_us = ?, not_before_us = ?, reason = ?, result = ?, priority = ? WHERE id = ? AND state = ? "
        "AND attempt = ?",
    [ADD_EVENT] = "INSERT INTO events (job, time_us, name, state, attempt, context) VALUES (?,?,?,?,?,?)",
    [ADD_ATTEMPT] =
        "INSERT INTO attempts (job, attempt, token, started_us, ended_us, outcome, exit_status, signal, pid,"
        " start_ticks, boot_id) VALUES (?,?,?,?,0,'',0,0,?,?,?)",
    [END_ATTEMPT] = "UPDATE attempts SET ended_us = ?, outcome = ?, exit_status = ?, signal = ?"
                    " WHERE job = ? AND attempt = ? AND ended_us = 0",
    [LIVE_JOBS] = "SELECT " JOB_COLUMNS " FROM jobs WHERE ended_us = 0 ORDER BY id",
    [ENDED_JOBS] = "SELECT " JOB_COLUMNS " FROM jobs WHERE ended_us <> 0 ORDER BY id",
    [ALL_JOBS] = "SELECT " JOB_COLUMNS " FROM jobs ORDER BY id",
    [FIND_JOB] = "SELECT " JOB_COLUMNS " FROM jobs WHERE id = ?",
    [FIND_KEY] = "SELECT id, body FROM jobs WHERE key = ?",
    [JOB_SPEC] = "SELECT fields, options FROM jobs WHERE id = ?",
    [JOB_AFTER] = "SELECT prior, any FROM after WHERE job = ? ORDER BY prior",
    [DEPENDENCIES] = "SELECT count(*) FILTER (WHERE ended_us = 0),"
                     " min(prior) FILTER (WHERE ended_us <> 0 AND state <> 'succeeded' AND NOT any)"
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
    [OLD_JOBS] = "SELECT id FROM jobs WHERE ended_us BETWEEN 1 AND ?1 - 1 AND NOT EXISTS (SELECT 1 FROM after"
                 " JOIN jobs AS later ON later.id = after.job"
                 " WHERE after.prior = jobs.id AND later.ended_us = 0) ORDER BY id LIMIT ?2",
    [FORGET_AFTER] = "DELETE FROM after WHERE job = ?1 OR prior = ?1",
    [FORGET_EVENTS] = "DELETE FROM events WHERE job = ?",
    [FORGET_ATTEMPTS] = "DELETE FROM attempts WHERE job = ?",
    [FORGET_JOB] = "DELETE FROM jobs WHERE id = ? AND ended_us <> 0",
    [SETTING] = "SELECT value FROM settings WHERE name = ?",
    [SET] = "INSERT INTO settings (name, value) VALUES (?1, ?2)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    [COUNT_STATES] = "SELECT state, count(*) FROM jobs GROUP BY state",
    [COUNT_ARRAY] = "SELECT state, count(*), max(id) FROM jobs WHERE array = ? GROUP BY state",
    [LAST_SEQ] = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'",
};
