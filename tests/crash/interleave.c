/* interleave [N [SEED]]: the life of a job in N random orders (promise Q3): workers that end, are reported to have ended once more, and
 * speak when their attempt is over; people who cancel, retry and hold; decoyd killed between any two writes of any step, and started
 * again. Then the job's whole story is read back: one end for each time it was asked for, each attempt ended once and by its own worker,
 * no word of a zombie in it, and the row is what replaying the events gives. In the control a zombie knows the token of the attempt
 * that runs; it must be noticed. */
#include "common/rng.h"
#include "daemon/attempt.h"
#include "daemon/run.h"
#include "daemon/service.h"
#include "tests/crash/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WORKERS = 24, STEPS = 14, FRESH = 25 };

struct worker { /* of attempt number i + 1 */
    char token[40];
    int ended_with; /* exit status; -1: it runs */
    bool adopted;   /* decoyd died meanwhile */
};

struct trial {
    struct rng dice;
    struct daemon daemon;
    struct run run; /* of the attempt that runs */
    int64_t job;
    struct worker workers[WORKERS];
    int count;
    bool forge; /* the control */
    int64_t kills, late, wrong;
    char said[300];
};

/* Of a commit that failed: the process will be killed. */
void __wrap_daemon_fail(struct daemon *daemon, const struct err *err);
void __wrap_daemon_fail(struct daemon *daemon, const struct err *err)
{
    (void)err;
    daemon->failed = true;
}

static void ignore(void *context, struct job *job, const struct job_event *event)
{
    (void)context, (void)job, (void)event;
}

static void complain(struct trial *trial, const char *what, long long number)
{
    if (!trial->wrong++)
        snprintf(trial->said, sizeof trial->said, "job %lld: %.200s (%lld)", (long long)trial->job, what,
                 number);
}

static uint64_t below(struct trial *trial, uint64_t n)
{
    return rng_below(&trial->dice, n);
}

/* --- decoyd starts and dies --- */

static int keep(void *context, struct job_row **row)
{
    queue_add(context, TAKE(*row));
    return 0;
}

static void die(struct trial *trial)
{
    struct daemon *daemon = &trial->daemon;
    history_destroy(daemon->history);
    queue_destroy(daemon->queue);
    store_close(daemon->store);
    memset(daemon, 0, sizeof *daemon);
    memset(&trial->run, 0, sizeof trial->run);
}

/* As act.c does with an attempt that ran when decoyd died. */
static int adopt(struct trial *trial, struct job *job)
{
    struct run *run = &trial->run;
    int code =
        store_find_attempt(trial->daemon.store, trial->job, job->row->life.attempt, &run->attempt, NULL);
    run->job = job;
    run->directory = (char *)"/nonexistent";
    run->adopted = run->status.interrupted = true;
    if (!code)
        trial->workers[run->attempt.attempt - 1].adopted = true;
    if (!code)
        code = attempt_record_end(&trial->daemon, run,
                                  job_outcome(&job->row->life, job->row->retries, &run->status), NULL);
    memset(run, 0, sizeof *run);
    return code;
}

static int start(struct trial *trial)
{
    struct daemon *daemon = &trial->daemon;
    int code = store_open(&daemon->store, "/tmp", NULL, NULL);
    if (code)
        return code;
    daemon->queue = queue_create();
    daemon->history = history_create(daemon->store, daemon->queue, ignore, NULL);
    code = store_each_job(daemon->store, STORE_LIVE, keep, daemon->queue, NULL);
    struct job *job = queue_find(daemon->queue, trial->job);
    return !code && job && job->row->life.state == JOB_RUNNING ? adopt(trial, job) : code;
}

static void restart(struct trial *trial)
{
    do {
        die(trial);
        disk_continue();
        trial->kills++;
        if (below(trial, 4) == 0)
            disk_cut_after(1 + below(trial, 30));
    } while (start(trial) != 0 && disk_is_cut());
}

/* --- steps --- */

static struct job *job_of(struct trial *trial)
{
    return queue_find(trial->daemon.queue, trial->job);
}

static int submit(struct trial *trial)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    const char *code;
    int64_t id;
    json_t *given = json_pack("{ss s{ss} s{si}}", "kind", "mock", "fields", "out", "/o", "options", "retries",
                              (int)below(trial, 4));
    if (message_parse_job(given, NULL, 0, &row, &code, NULL) != 0)
        abort();
    json_decref(given);
    if (history_begin(trial->daemon.history, NULL) != 0 ||
        history_submit(trial->daemon.history, &row, &id, NULL) != 0 ||
        history_commit(trial->daemon.history, NULL) != 0)
        return -EIO;
    trial->job = id;
    return 0;
}

static int start_worker(struct trial *trial, struct job *job)
{
    struct run *run = &trial->run;
    int number = job->row->life.attempt + 1;
    if (number > WORKERS)
        return 0;
    *run = (struct run){.job = job,
                        .directory = (char *)"/nonexistent",
                        .attempt = {.job = trial->job, .attempt = number, .boot_id = "b"}};
    snprintf(run->attempt.token, sizeof run->attempt.token, "%lld.%d.%u", (long long)trial->job, number,
             rng_u32(&trial->dice));
    struct worker *worker = &trial->workers[number - 1];
    *worker = (struct worker){
        .ended_with = -1}; /* one that was started before, whose start was not committed, never ran */
    snprintf(worker->token, sizeof worker->token, "%s", run->attempt.token);
    trial->count = number;
    int code = attempt_record_start(&trial->daemon, run, NULL);
    job->run = code ? NULL : run;
    return code;
}

/* The end of the worker of an attempt, whether or not that is the one that runs. */
static int end_worker(struct trial *trial, struct job *job, int number)
{
    struct worker *worker = &trial->workers[number - 1];
    struct run report = trial->run;
    bool late = !job->run || number != job->run->attempt.attempt;
    report.job = job;
    report.directory = (char *)"/nonexistent";
    report.attempt.job = trial->job;
    report.attempt.attempt = trial->forge && job->run ? job->run->attempt.attempt : number;
    if (worker->ended_with < 0)
        worker->ended_with = below(trial, 3) == 0   ? 0
                             : below(trial, 3) == 0 ? JOB_EXIT_STOPPED
                                                    : 100 + number;
    report.status = (struct job_exit){.status = worker->ended_with};
    trial->late += late;
    int code = attempt_record_end(&trial->daemon, &report,
                                  job_outcome(&job->row->life, job->row->retries, &report.status), NULL);
    if (!code && !late)
        job->run = NULL;
    if (!code && late && !trial->forge)
        complain(trial, "an attempt that was over ended again", number);
    return code;
}

/* A worker says which attempt it is; some zombies claim to be of the one that runs, but have their own token. */
static int speak(struct trial *trial, int number)
{
    struct job *job = job_of(trial);
    bool runs = job && job->run, forge = trial->forge && runs, claim = runs && below(trial, 2);
    json_t *body = json_pack("{sI si ss si so}", "job", (json_int_t)trial->job, "attempt",
                             forge || claim ? job->run->attempt.attempt : number, "token",
                             forge ? job->run->attempt.token : trial->workers[number - 1].token, "rank", 0,
                             "text", json_sprintf("%d", number));
    struct call call = {.daemon = &trial->daemon, .body = body, .code = "internal"};
    struct err err = {0};
    int code = verb_note(&call, &err);
    json_decref(body);
    return code;
}

static int go_again(struct trial *trial)
{
    struct history *history = trial->daemon.history;
    int code = history_begin(history, NULL);
    if (!code)
        code = history_reopen(history, trial->job, NULL, NULL);
    if (!code)
        code = history_settle(history, &trial->job, 1, NULL);
    if (!code)
        return history_commit(history, NULL);
    history_abort(history);
    return code;
}

static int person(struct trial *trial, struct job *job)
{
    static const enum job_event_name WISHES[] = {EVENT_CANCELLED, EVENT_HELD, EVENT_RELEASED,
                                                 EVENT_PRIORITY_SET};
    struct history *history = trial->daemon.history;
    if (job->row->life.state == JOB_RUNNING)
        return history_one(history, job, EVENT_STOP_ASKED,
                           json_pack("{ss ss}", "stop", "cancel", "reason", "enough"), NULL);
    enum job_event_name wish = WISHES[below(trial, 4)];
    if (wish == EVENT_CANCELLED && below(trial, 2))
        wish = EVENT_RELEASED;
    return history_one(history, job, wish,
                       wish == EVENT_PRIORITY_SET ? json_pack("{si}", "priority", 3) : NULL, NULL);
}

static void step(struct trial *trial)
{
    struct job *job = job_of(trial);
    int any = trial->count ? 1 + (int)below(trial, (uint64_t)trial->count) : 0;
    bool ended = !job || job_ended(job->row->life.state);
    switch (below(trial, 8)) {
    case 0:
    case 1:
    case 2:
        if (!ended && job->row->life.state == JOB_READY)
            start_worker(trial, job);
        else if (!ended && job->run)
            end_worker(trial, job, job->run->attempt.attempt);
        break;
    case 3:
        if (job && any)
            end_worker(trial, job, any);
        break;
    case 4:
    case 5:
        if (any)
            speak(trial, any);
        break;
    case 6:
        if (!ended)
            person(trial, job);
        break;
    default:
        if (below(trial, 3) == 0)
            go_again(trial);
    }
}

/* Without kills, to its end. */
static void finish(struct trial *trial)
{
    for (int i = 0; i < 4 * WORKERS; i++) {
        struct job *job = job_of(trial);
        if (!job || job_ended(job->row->life.state))
            return;
        enum job_state state = job->row->life.state;
        if (state == JOB_HELD)
            history_one(trial->daemon.history, job, EVENT_RELEASED, NULL, NULL);
        else if (state == JOB_RUNNING)
            end_worker(trial, job, job->run->attempt.attempt);
        else if (job->row->life.attempt < WORKERS)
            start_worker(trial, job);
        else
            history_one(trial->daemon.history, job, EVENT_CANCELLED, NULL, NULL);
    }
    complain(trial, "it never ends", 0);
}

/* --- the story --- */

struct story {
    struct trial *trial;
    struct job_life life;
    int goes, ends, attempts;
};

static int read_event(void *context, const struct job_event *event)
{
    struct story *story = context;
    struct trial *trial = story->trial;
    struct err err = {0};
    const char *text = json_string_value(json_object_get(event->context, "text"));
    if (job_apply(&story->life, event, &err) != 0)
        complain(trial, err.text, event->seq);
    story->goes += event->name == EVENT_SUBMITTED || event->name == EVENT_REOPENED;
    story->ends += job_ended(event->state) && job_event_moves(event->name);
    if (story->life.state != event->state)
        complain(trial, "an event leads elsewhere than it says", event->seq);
    if (event->name == EVENT_NOTE && (event->state != JOB_RUNNING || atoi(text) != event->attempt))
        complain(trial, "a zombie has spoken", event->seq);
    return 0;
}

static int read_attempt(void *context, const struct attempt *attempt)
{
    struct story *story = context;
    const struct worker *worker = &story->trial->workers[attempt->attempt - 1];
    story->attempts++;
    if (!attempt->ended_us)
        complain(story->trial, "an attempt never ended", attempt->attempt);
    else if (!worker->adopted && attempt->exit_status != worker->ended_with)
        complain(story->trial, "an attempt ended by another's worker", attempt->attempt);
    return 0;
}

static void read_story(struct trial *trial)
{
    struct story story = {.trial = trial};
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    if (store_find_job(trial->daemon.store, trial->job, &row, NULL) != 0 ||
        store_each_event(trial->daemon.store, trial->job, 0, 100000, read_event, &story, NULL) != 0 ||
        store_each_attempt(trial->daemon.store, trial->job, read_attempt, &story, NULL) != 0) {
        complain(trial, "it cannot be read", 0);
        return;
    }
    if (story.ends != story.goes)
        complain(trial, "ends that do not fit how often it was asked for", story.ends - story.goes);
    if (memcmp(&story.life, &row->life, sizeof row->life) != 0)
        complain(trial, "its row is not what its events tell", row->life.state);
    if (story.attempts != row->life.attempt)
        complain(trial, "attempts are missing", story.attempts - row->life.attempt);
}

/* --- trials --- */

static void one(struct trial *trial)
{
    trial->count = 0;
    if (submit(trial) != 0)
        abort();
    int kill_at = (int)below(trial, 2 * STEPS); /* in half of them */
    for (int i = 0; i < STEPS; i++) {
        if (i == kill_at)
            disk_cut_after(1 + below(trial, 24));
        step(trial);
        if (disk_is_cut()) {
            restart(trial);
            kill_at = i + 1 + (int)below(trial, 2 * STEPS);
        }
    }
    disk_continue();
    finish(trial);
    read_story(trial);
}

static void run(struct trial *trial, int64_t count, uint64_t seed)
{
    rng_init(&trial->dice, seed, 0x6f726472, 0);
    for (int64_t i = 0; i < count; i++) {
        if (i % FRESH == 0) {
            die(trial);
            disk_clear();
            trial->job = 0;
            if (start(trial) != 0)
                abort();
        }
        one(trial);
    }
    die(trial);
    disk_clear();
}

int main(int argc, char **argv)
{
    static struct trial honest, forged = {.forge = true};
    const char *wanted = getenv("CRASH_N"), *chosen = getenv("CRASH_SEED");
    int64_t count = argc > 1 ? atoll(argv[1]) : wanted ? atoll(wanted) : 10000;
    uint64_t seed = (uint64_t)(argc > 2 ? atoll(argv[2]) : chosen ? atoll(chosen) : 1);
    disk_register();
    run(&honest, count, seed);
    run(&forged, 200, seed);
    printf("RECORD\tQ3 interleavings\t%" PRId64 "\t%" PRIu64 "\t%" PRId64 " kills, %" PRId64
           " late ends; %" PRId64 " wrong%s%s\n",
           count, seed, honest.kills, honest.late, honest.wrong, honest.wrong ? ": " : "", honest.said);
    printf("control: zombies with the token of another attempt: %" PRId64 " wrong of 200, such as %s\n",
           forged.wrong, forged.said);
    return honest.wrong == 0 && forged.wrong > 0 ? 0 : 1;
}
