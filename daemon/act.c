/* See act.h. The life of a run:
 *
 *   prepare (child waits) -> commit `started` with its pid -> go -> ... -> leader exits
 *     -> its session is empty -> commit the outcome, give the slots back
 *
 * Asking to stop: commit `stop_asked`, then SIGTERM. With mpirun the signal goes to the ranks themselves,
 * because mpirun, told to end, leaves them a second only; mpirun then ends by itself. After the grace time mpirun
 * is told too (it tidies up behind itself), and two seconds later all that is left gets SIGKILL; without mpirun
 * that comes at once. All that is left: the session, and whoever carries the attempt's token. The leader is reaped only after what is left of its session was signalled: until then its
 * pid is not given out again. */
#include "daemon/act.h"
#include "daemon/attempt.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/hang.h"
#include "daemon/hosts.h"
#include "daemon/loglimit.h"
#include "daemon/process.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

enum { SWEEP_MS = 50 };

#define MPIRUN_S 2.0 /* that mpirun has to end its ranks its own way */

struct acts {
    struct daemon *daemon;
    struct run *runs;
    size_t running;
    uv_signal_t child_signal;
    uv_timer_t later; /* when a job that pauses may start */
};

static void on_timer(uv_timer_t *timer);
static void on_later(uv_timer_t *timer);
static void on_child(uv_signal_t *handle, int number);

int acts_create(struct acts **out, struct daemon *daemon, struct err *err)
{
    struct acts *acts = calloc(1, sizeof *acts);
    if (!acts)
        return err_set(err, -ENOMEM, "out of memory");
    acts->daemon = daemon;
    uv_signal_init(daemon->loop, &acts->child_signal);
    uv_timer_init(daemon->loop, &acts->later);
    acts->child_signal.data = acts->later.data = acts;
    uv_signal_start(&acts->child_signal, on_child, SIGCHLD);
    *out = acts;
    return 0;
}

size_t acts_running(const struct acts *acts)
{
    return acts->running;
}

struct run *acts_first(const struct acts *acts)
{
    return acts->runs;
}

/* placement: NULL for what an earlier daemon started. */
static struct run *run_create(struct acts *acts, struct job *job, const struct placement *placement)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        abort();
    run->acts = acts;
    run->job = job;
    run->progress = progress_create(placement ? placement->ranks : job->row->ranks);
    run->placement = placement ? *placement : (struct placement){0};
    run->silent_s = calloc((size_t)run->placement.ranks + 1, sizeof *run->silent_s);
    if (!run->silent_s)
        abort();
    run->launched = placement ? spawn_launches(placement) : job->row->ranks > 1;
    run->elsewhere = placement && spawn_elsewhere(placement, &acts->daemon->config);
    uv_timer_init(acts->daemon->loop, &run->timer);
    run->timer.data = run;
    run->next = acts->runs;
    acts->runs = run;
    acts->running++;
    job->run = run;
    return run;
}

static void on_run_closed(uv_handle_t *handle)
{
    struct run *run = handle->data;
    progress_destroy(run->progress);
    json_decref(run->metrics);
    free(run->silent_s);
    free(run->directory);
    free(run);
}

/* Takes the run out of the list and frees it when the loop has let go of its timer. */
static void run_close(struct run *run)
{
    struct run **at = &run->acts->runs;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    run->acts->running--;
    run->job->run = NULL;
    uv_close((uv_handle_t *)&run->timer, on_run_closed);
}

static int signal_run(const struct run *run, int number)
{
    pid_t session = (pid_t)run->attempt.pid;
    const char *token =
        run->adopted || run->leader_gone ? run->attempt.token : NULL; /* else the pid is surely ours */
    bool ranks_only = run->launched && number == SIGTERM;
    if (run->elsewhere && number == SIGTERM && !run->leader_gone) /* mpirun and srun hand this one on to every rank */
        return kill(session, SIGUSR2) == 0;
    int count = process_signal_session(session, token, ranks_only ? PROCESS_BUT_LEADER : PROCESS_ALL, number);
    if (count == 0 && ranks_only) /* mpirun has no ranks yet */
        count = process_signal_session(session, token, PROCESS_ALL, number);
    if (count == 0 && number && !run->adopted && !run->leader_gone)
        count = kill(session, number) == 0; /* not its own session's leader yet */
    return count;
}

/* Sets the timer to what comes next: sweeping, the kill, or the time limit. */
static void arm(struct run *run)
{
    double now_s = clock_monotonic_s();
    double at_s = run->leader_gone || run->adopted ? now_s + 1e-3 * SWEEP_MS
                  : run->kill_s > 0                ? run->kill_s
                                                   : run->limit_s;
    if (at_s > 0)
        uv_timer_start(&run->timer, on_timer, (uint64_t)(1e3 * fmax(at_s - now_s, 0)) + 1, 0);
    else
        uv_timer_stop(&run->timer);
}

/* --- the end of an attempt --- */

static void look_for_lost_host(struct run *run)
{
    struct daemon *daemon = run->acts->daemon;
    CLEANUP(free_ptr) char *path = path_join(run->directory, "stderr");
    bool failed = run->status.status != 0 || run->status.signal != 0;
    int host = run->elsewhere && failed ? hosts_lost(&daemon->slots, &run->placement, path) : -1;
    if (host < 0)
        return;
    run->lost = daemon->slots.hosts[host].name;
    run->status.interrupted = true; /* it is put back, at no cost of a retry */
    log_warning("host %s was lost: no more jobs go there", run->lost);
    slots_lose(&daemon->slots, host);
}

static void run_end(struct run *run)
{
    struct daemon *daemon = run->acts->daemon;
    struct job *job = run->job;
    struct err err = {0};
    look_for_lost_host(run);
    enum job_event_name outcome = job_outcome(&job->row->life, job->row->retries, &run->status);
    if (attempt_record_end(daemon, run, outcome, &err) != 0) {
        daemon_fail(daemon, &err);
        return;
    }
    log_info("job %lld attempt %d: %s%s%s", (long long)job->row->id, run->attempt.attempt,
             job_event_text(outcome), *job->row->life.reason ? ": " : "", job->row->life.reason);
    slots_give(&daemon->slots, &run->placement);
    run_close(run);
    daemon_check_end(daemon);
    acts_schedule(run->acts);
}

/* Ends what the leader left behind; true when nothing is left. */
static bool sweep(struct run *run)
{
    double now_s = clock_monotonic_s();
    bool kill_now = run->leader_gone || (run->kill_s > 0 && now_s >= run->kill_s);
    pid_t session = (pid_t)run->attempt.pid;
    int left = signal_run(run, kill_now ? SIGKILL : 0);
    if (kill_now)
        left += process_signal_strays(session, run->attempt.token, SIGKILL);
    return left == 0;
}

/* The grace time is over. */
static void insist(struct run *run)
{
    bool tell_mpirun = run->launched && !run->told_mpirun;
    run->told_mpirun = true;
    if (tell_mpirun) {
        process_signal_session((pid_t)run->attempt.pid, NULL, PROCESS_ALL, SIGTERM);
        run->kill_s = clock_monotonic_s() + MPIRUN_S;
        return;
    }
    log_warning("job %lld attempt %d did not stop in time: killed", (long long)run->attempt.job,
                run->attempt.attempt);
    signal_run(run, SIGKILL);
    run->kill_s = clock_monotonic_s() + 1; /* again, should a process have been born meanwhile */
}

static void on_timer(uv_timer_t *timer)
{
    struct run *run = timer->data;
    struct err err = {0};
    if (run->leader_gone || run->adopted) {
        if (sweep(run)) {
            run_end(run);
            return;
        }
    } else if (run->kill_s > 0) {
        insist(run);
    } else {
        CLEANUP(free_ptr)
        char *reason = str_format("it ran longer than its time limit of %g s", run->job->row->time_limit_s);
        if (acts_stop(run->acts, run->job, STOP_TIME_LIMIT, reason, &err) != 0) {
            daemon_fail(run->acts->daemon, &err);
            return;
        }
    }
    arm(run);
}

/* Sees whether a leader has ended; reaps it after its session was told to. */
static void look_at_leader(struct run *run)
{
    siginfo_t info = {0};
    pid_t pid = (pid_t)run->attempt.pid;
    if (run->leader_gone || run->adopted ||
        waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || !info.si_pid)
        return;
    bool exited = info.si_code == CLD_EXITED;
    run->status =
        (struct job_exit){.status = exited ? info.si_status : 0, .signal = exited ? 0 : info.si_status};
    int left = process_signal_session(pid, NULL, PROCESS_BUT_LEADER, SIGKILL) +
               process_signal_strays(pid, run->attempt.token, SIGKILL);
    waitpid(pid, NULL, 0);
    run->leader_gone = true;
    if (left)
        arm(run);
    else
        run_end(run);
}

static void on_child(uv_signal_t *handle, int number)
{
    struct acts *acts = handle->data;
    (void)number;
    for (struct run *run = acts->runs, *next; run; run = next) {
        next = run->next;
        look_at_leader(run);
        if (acts->daemon->failed)
            return;
    }
}

/* --- stopping --- */

int acts_stop(struct acts *acts, struct job *job, enum job_stop stop, const char *reason, struct err *err)
{
    struct run *run = job->run;
    json_t *context = json_pack("{ss ss?}", "stop", job_stop_name(stop), "reason", reason);
    int code = history_one(acts->daemon->history, job, EVENT_STOP_ASKED, context, err);
    if (code)
        return code;
    if (run->kill_s > 0)
        return 0; /* it was asked before, and its time runs */
    run->kill_s = clock_monotonic_s() + acts->daemon->config.grace_s;
    signal_run(run, SIGTERM);
    arm(run);
    return 0;
}

int acts_checkpoint(struct acts *acts, struct job *job, int *asked, struct err *err)
{
    pid_t session = (pid_t)job->run->attempt.pid;
    int ranks = PROCESS_CATCHES_USR1 |
                (!job->run->launched   ? 0
                 : job->run->elsewhere ? PROCESS_LEADER /* hands it on to every rank, here and there */
                                       : PROCESS_BUT_LEADER);
    bool ready = !job->run->adopted && (job->run->heard || !job->run->elsewhere); /* elsewhere nobody can be looked at */
    *asked = ready ? process_signal_session(session, NULL, ranks, 0) : 0;
    if (*asked > 0 && job->run->elsewhere)
        *asked = job->run->placement.ranks;
    if (*asked == 0)
        return 0;
    int code = history_one(acts->daemon->history, job, EVENT_CHECKPOINT_ASKED,
                           json_pack("{si}", "ranks", *asked), err);
    if (!code)
        process_signal_session(session, NULL, ranks, SIGUSR1);
    return code;
}

/* --- starting --- */

static void give_up_start(struct run *run, const struct err *why)
{
    struct daemon *daemon = run->acts->daemon;
    struct err err = {0};
    log_warning("job %lld cannot be started: %s", (long long)run->attempt.job, why->text);
    slots_give(&daemon->slots, &run->placement);
    int code = attempt_record_no_start(daemon, run, why, &err);
    run_close(run);
    if (code)
        daemon_fail(daemon, &err);
}

/* Its slots are taken. */
static void start(struct acts *acts, struct job *job, const struct placement *placement)
{
    struct daemon *daemon = acts->daemon;
    struct child child = {.gate = -1};
    struct err err = {0};
    struct run *run = run_create(acts, job, placement);
    run->attempt.job = job->row->id;
    run->attempt.attempt = job->row->life.attempt + 1;
    run->directory = spawn_directory(daemon->state, job->row->id, run->attempt.attempt);
    int code = store_load_spec(daemon->store, job->row, &err);
    if (!code)
        code = spawn_prepare(&child, &run->attempt, job->row, placement, daemon, &err);
    if (code) {
        give_up_start(run, &err);
        return;
    }
    if (attempt_record_start(daemon, run, &err) != 0) {
        spawn_cancel(&child);
        slots_give(&daemon->slots, &run->placement);
        run_close(run);
        daemon_fail(daemon, &err);
        return;
    }
    spawn_go(&child);
    job_row_forget_spec(job->row);
    log_info("job %lld attempt %d: %s started, pid %d", (long long)job->row->id, run->attempt.attempt,
             job->row->kind, (int)child.pid);
    loglimit_wake(daemon->loglimit);
    hangs_wake(daemon->hangs);
    run->limit_s = job->row->time_limit_s > 0 ? clock_monotonic_s() + job->row->time_limit_s : 0;
    arm(run);
}

/* Starts all jobs whose turn it is, and comes back when the next one's pause is over. */
static void on_later(uv_timer_t *timer)
{
    struct acts *acts = timer->data;
    struct daemon *daemon = acts->daemon;
    struct job *job;
    struct placement placement;
    int64_t now_us = clock_realtime_us(), wake_us = 0;
    while (daemon_starts_jobs(daemon) &&
           (job = queue_next(daemon->queue, &daemon->slots, now_us, &wake_us)) &&
           slots_take(&daemon->slots, job->row, &placement))
        start(acts, job, &placement);
    if (wake_us && daemon_starts_jobs(daemon))
        uv_timer_start(&acts->later, on_later, (uint64_t)((wake_us - now_us) / 1000) + 1, 0);
}

void acts_schedule(struct acts *acts)
{
    uv_timer_start(&acts->later, on_later, 0, 0);
}

int acts_adopt(struct acts *acts, struct job *job, const struct attempt *attempt, struct err *err)
{
    char boot_id[40];
    int code = process_boot_id(boot_id, err);
    if (code)
        return code;
    struct run *run = run_create(acts, job, NULL);
    slots_take(&acts->daemon->slots, job->row, &run->placement);
    run->attempt = *attempt;
    run->directory = spawn_directory(acts->daemon->state, attempt->job, attempt->attempt);
    run->adopted = true;
    run->status.interrupted = true;
    bool same_boot = strcmp(boot_id, attempt->boot_id) == 0;
    if (!same_boot || acts->daemon->copied || signal_run(run, SIGTERM) == 0) {
        run_end(run);
        return 0;
    }
    log_info("job %lld attempt %d still runs: ending it", (long long)attempt->job, attempt->attempt);
    run->kill_s = clock_monotonic_s() + acts->daemon->config.grace_s;
    arm(run);
    return 0;
}

void acts_close(struct acts *acts)
{
    while (acts->runs) {
        signal_run(acts->runs, SIGTERM);
        run_close(acts->runs);
    }
    uv_close((uv_handle_t *)&acts->child_signal, NULL);
    uv_close((uv_handle_t *)&acts->later, NULL);
}

void acts_destroy(struct acts *acts)
{
    free(acts);
}
