/* The tables of the queue, and how those of an older decoyd become them. SCHEMA is version 1 for ever; each
 * step of UPGRADES makes the next version of the one before it, so that a new database and an old one that was
 * brought up are the same. All steps are one transaction: a database is of one version or of another. */
#include "common/cleanup.h"
#include "common/str.h"
#include "daemon/store_private.h"

#include <errno.h>
#include <string.h>

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

static const char *const UPGRADES[] = {
    /* 2: tags, arrays, back-off, dependencies on any end, settings */
    "ALTER TABLE jobs ADD COLUMN tag TEXT;"
    "ALTER TABLE jobs ADD COLUMN array INTEGER;"
    "ALTER TABLE jobs ADD COLUMN backoff_s REAL NOT NULL DEFAULT 1;"
    "ALTER TABLE after ADD COLUMN any INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT) STRICT, WITHOUT ROWID;",
    /* 3: arrays are counted by their index */
    "CREATE INDEX jobs_array ON jobs (array) WHERE array IS NOT NULL;",
};

enum { SCHEMA_VERSION = 1 + sizeof UPGRADES / sizeof *UPGRADES };

/* From version (0: an empty database) to ours. */
static int upgrade(struct store *store, int version, struct err *err)
{
    int code = store_execute(store, "BEGIN IMMEDIATE", err);
    if (!code && version == 0)
        code = store_execute(store, SCHEMA, err);
    for (int next = version ? version + 1 : 2; !code && next <= SCHEMA_VERSION; next++)
        code = store_execute(store, UPGRADES[next - 2], err);
    CLEANUP(free_ptr)
    char *sql = str_format("PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", APPLICATION_ID,
                           SCHEMA_VERSION);
    if (!code)
        code = store_execute(store, sql, err);
    if (code)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return code && version
               ? err_prefix(err, "the queue cannot be brought from version %d to %d", version, SCHEMA_VERSION)
               : code;
}

int store_check_schema(struct store *store, int *from_version, struct err *err)
{
    char version[16], application[16];
    int code = store_ask(store, "PRAGMA user_version", version, err);
    if (!code)
        code = store_ask(store, "PRAGMA application_id", application, err);
    if (code)
        return code;
    int found = atoi(version);
    bool fresh = found == 0 && strcmp(application, "0") == 0;
    if (!fresh && (atoi(application) != APPLICATION_ID || found < 1))
        return err_set(err, -EINVAL, "%s is not a queue of decoyd", store->path);
    if (found > SCHEMA_VERSION)
        return err_set(
            err, -EINVAL,
            "%s was written by a newer decoyd (version %d; this one knows up to %d): start that one, or "
            "choose another --state",
            store->path, found, SCHEMA_VERSION);
    *from_version = fresh || found == SCHEMA_VERSION ? 0 : found;
    return found == SCHEMA_VERSION ? 0 : upgrade(store, found, err);
}
