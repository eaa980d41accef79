/* power_cut [CUTS [SEED]]: the store (daemon/store.h) on a disk whose power goes at random, also while it recovers from the cut before
 * (promise Q2). After each cut the queue must be as after the last commit that returned, or as after the one that was under way; and
 * SQLite must find it whole. The controls, stores that do not sync as ours does, must lose something, or the disk is no test. */
#include "common/rng.h"
#include "daemon/store_private.h"
#include "tests/crash/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { JOBS = 64, CHAIN = 12, OPERATIONS = 150 };

/* What the queue holds. */
struct model {
    struct {
        int64_t id;
        enum job_state state;
    } jobs[JOBS];
    int count;
    int64_t last_id, last_seq; /* that were ever given out */
};

struct subject {
    const char *name;
    bool network; /* the rollback journal */
    const char *pragma;
    bool lies;
    bool sound; /* it must lose nothing; else it must lose something */
};

struct tally {
    int64_t cuts, in_recovery, commits, lost, broken;
};

struct trial {
    const struct subject *subject;
    struct rng dice;
    struct store *store;
    struct model sure, after; /* as of the last commit that returned; and as of the one under way */
    struct tally tally;
    char directory[64];
};

static bool on_network;

/* statfs(2) with 64-bit offsets: the file system that store.c believes to be on; its kind decides about the journal. */
int __wrap_statfs64(const char *path, struct statfs *status);
int __wrap_statfs64(const char *path, struct statfs *status)
{
    (void)path;
    memset(status, 0, sizeof *status);
    status->f_type = on_network ? 0x6969 : 0xef53;
    return 0;
}

/* --- one transaction, made in the store and in the model --- */

static struct job_row *make_row(void)
{
    struct job_row *row = NULL;
    const char *code;
    json_t *given =
        json_pack("{ss s{ss}}", "kind", "mock", "fields", "out", "/a/directory/with/a/name/of/some/length");
    if (message_parse_job(given, NULL, 0, &row, &code, NULL) != 0)
        abort();
    json_decref(given);
    row->life.state = JOB_WAITING;
    row->life.submitted_us = 17;
    return row;
}

static int add_event(struct trial *trial, int64_t job, enum job_event_name name, enum job_state state)
{
    struct job_event event = {.job = job, .name = name, .state = state};
    int code = store_add_event(trial->store, &event, NULL);
    trial->after.last_seq = event.seq;
    return code;
}

static int add_job(struct trial *trial)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = make_row();
    struct model *model = &trial->after;
    int code = store_add_job(trial->store, row, NULL);
    if (code)
        return code;
    if (row->id <= model->last_id) {
        fprintf(stderr, "job id %" PRId64 " was given out a second time\n", row->id);
        trial->tally.lost++;
    }
    model->jobs[model->count].id = model->last_id = row->id;
    model->jobs[model->count++].state = JOB_WAITING;
    return add_event(trial, row->id, EVENT_SUBMITTED, JOB_WAITING);
}

static int end_job(struct trial *trial, int which)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    struct model *model = &trial->after;
    int code = store_find_job(trial->store, model->jobs[which].id, &row, NULL);
    if (code)
        return code;
    struct job_life before = row->life;
    row->life.state = model->jobs[which].state = JOB_SUCCEEDED;
    row->life.ended_us = 99;
    code = store_update_job(trial->store, row, &before, NULL);
    return code ? code : add_event(trial, row->id, EVENT_SUCCEEDED, JOB_SUCCEEDED);
}

static int forget_job(struct trial *trial, int which)
{
    struct model *model = &trial->after;
    int code = store_forget_job(trial->store, model->jobs[which].id, NULL);
    model->jobs[which] = model->jobs[model->count - 1];
    model->count--;
    return code;
}

static int change(struct trial *trial)
{
    struct model *model = &trial->after;
    int which = model->count ? (int)rng_below(&trial->dice, (uint64_t)model->count) : 0;
    int code = 0;
    if (model->count > JOBS - 8 || (model->count && rng_below(&trial->dice, 3) == 0))
        return model->jobs[which].state == JOB_WAITING ? end_job(trial, which) : forget_job(trial, which);
    for (uint64_t i = 0, count = 1 + rng_below(&trial->dice, 4); !code && i < count; i++)
        code = add_job(trial);
    return code;
}

/* True when its commit returned. */
static bool transact(struct trial *trial)
{
    trial->after = trial->sure;
    int code = store_begin(trial->store, NULL);
    if (!code)
        code = change(trial);
    if (!code)
        code = store_commit(trial->store, NULL);
    if (code)
        return false;
    trial->sure = trial->after;
    trial->tally.commits++;
    return true;
}

/* --- after a cut --- */

static int collect(void *context, struct job_row **row)
{
    struct model *found = context;
    if (found->count < JOBS) {
        found->jobs[found->count].id = (*row)->id;
        found->jobs[found->count].state = (*row)->life.state;
    }
    found->count++;
    return 0;
}

static bool holds(const struct model *model, int64_t id, enum job_state state)
{
    for (int i = 0; i < model->count; i++) {
        if (model->jobs[i].id == id)
            return model->jobs[i].state == state;
    }
    return false;
}

static bool equal(const struct model *found, const struct model *wanted)
{
    bool same = found->count == wanted->count && found->last_seq == wanted->last_seq;
    for (int i = 0; same && i < found->count; i++)
        same = holds(wanted, found->jobs[i].id, found->jobs[i].state);
    return same;
}

/* 0, or that the power went meanwhile. Counts what is wrong; the model is then what was found. */
static int compare(struct trial *trial)
{
    struct model found = {0};
    char answer[16];
    int code = store_ask(trial->store, "PRAGMA integrity_check", answer, NULL);
    if (!code)
        code = store_each_job(trial->store, STORE_ALL, collect, &found, NULL);
    if (!code)
        code = store_last_seq(trial->store, &found.last_seq, NULL);
    if (disk_is_cut())
        return -EIO;
    if (code || strcmp(answer, "ok") != 0) {
        trial->tally.broken++;
        return -EIO;
    }
    if (equal(&found, &trial->after))
        trial->sure = trial->after;
    if (equal(&found, &trial->sure))
        return 0;
    trial->tally.lost++;
    return -EIO;
}

static void start_anew(struct trial *trial)
{
    disk_clear();
    memset(&trial->sure, 0, sizeof trial->sure);
    trial->after = trial->sure;
}

/* Runs until the power goes. */
static void live(struct trial *trial)
{
    struct err err = {0};
    int64_t wrong = trial->tally.lost + trial->tally.broken, commits = trial->tally.commits;
    disk_cut_after(1 + rng_below(&trial->dice, OPERATIONS));
    int code = store_open(&trial->store, trial->directory, NULL, &err);
    if (!code && trial->subject->pragma)
        code = store_execute(trial->store, trial->subject->pragma, &err);
    if (!code) /* so that the WAL is written back within the few pages of a trial */
        code = store_execute(trial->store, "PRAGMA wal_autocheckpoint = 12", &err);
    trial->tally.broken += code && !disk_is_cut();
    if (!code)
        code = compare(trial);
    while (!code && transact(trial))
        ;
    trial->tally.in_recovery += disk_is_cut() && trial->tally.commits == commits;
    store_close(trial->store);
    trial->store = NULL;
    if (trial->tally.lost + trial->tally.broken > wrong || !disk_is_cut())
        start_anew(trial);
}

static struct tally run(const struct subject *subject, int64_t cuts, uint64_t seed)
{
    struct trial trial = {.subject = subject, .directory = "/tmp"};
    rng_init(&trial.dice, seed, 0x637574, 0);
    on_network = subject->network;
    start_anew(&trial);
    disk_lie(subject->lies);
    while (trial.tally.cuts < cuts) {
        live(&trial);
        trial.tally.cuts++;
        if (trial.tally.cuts % CHAIN == 0)
            start_anew(&trial);
        else
            disk_restart(seed * 0x9e3779b97f4a7c15u + (uint64_t)trial.tally.cuts);
    }
    start_anew(&trial);
    return trial.tally;
}

static bool judge(const struct subject *subject, const struct tally *tally, uint64_t seed)
{
    bool clean = tally->lost + tally->broken == 0;
    printf("%s%s\t%" PRId64 "\t%" PRIu64 "\t%" PRId64 " lost, %" PRId64 " broken; %" PRId64
           " commits, %" PRId64 " cuts in recovery%s\n",
           subject->sound ? "RECORD\tQ2 power cuts, " : "control: ", subject->name, tally->cuts, seed,
           tally->lost, tally->broken, tally->commits, tally->in_recovery,
           clean == subject->sound ? "" : "  <- WRONG");
    return clean == subject->sound;
}

int main(int argc, char **argv)
{
    static const struct subject SUBJECTS[] = {
        {"write-ahead log", false, NULL, false, true},
        {"rollback journal", true, NULL, false, true},
        {"log, synchronous = NORMAL", false, "PRAGMA synchronous = NORMAL", false, false},
        {"log, synchronous = OFF", false, "PRAGMA synchronous = OFF", false, false},
        {"log, fsync that does nothing", false, NULL, true, false},
        {"journal, fsync that does nothing", true, NULL, true, false},
    };
    const char *count = getenv("CRASH_N"), *chosen = getenv("CRASH_SEED");
    int64_t cuts = argc > 1 ? atoll(argv[1]) : count ? atoll(count) : 2000;
    uint64_t seed = (uint64_t)(argc > 2 ? atoll(argv[2]) : chosen ? atoll(chosen) : 1);
    bool good = true;
    disk_register();
    for (size_t i = 0; i < sizeof SUBJECTS / sizeof *SUBJECTS; i++) {
        const struct subject *subject = &SUBJECTS[i];
        struct tally tally = run(subject, subject->sound ? cuts / (subject->network ? 2 : 1) : 300, seed);
        good &= judge(subject, &tally, seed);
    }
    return good ? 0 : 1;
}
