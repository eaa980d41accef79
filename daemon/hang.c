/* See hang.h. Silence is added up look by look, each counting for at most two periods, so that what kept decoyd from
 * looking (SIGSTOP, a suspended machine) is nobody's silence. */
#include "daemon/hang.h"
#include "common/clock.h"
#include "common/str.h"
#include "daemon/act.h"
#include "daemon/process.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define LOOKS_A_LIMIT 20
#define LOOK_MOST_S   5.0
#define START_FACTOR  10 /* a large job's ranks may take minutes to be loaded and to meet */

struct hangs {
    struct daemon *daemon;
    uv_timer_t timer;
    double looked_s;
};

/* Time since the last look in which decoyd was awake. */
static double since_look(const struct hangs *hangs)
{
    double period_s = 1e-3 * (double)uv_timer_get_repeat(&hangs->timer);
    return fmin(clock_monotonic_s() - hangs->looked_s, 2 * period_s);
}

static void forgive(struct run *run)
{
    run->stopped_s = 0;
    for (int rank = 0; rank < run->placement.ranks; rank++)
        run->silent_s[rank] = 0;
}

/* With the first word all have met: what that took is nobody's silence. The next look counts from the last one on, so what
 * has passed since is taken off. */
void hangs_heard(const struct hangs *hangs, struct run *run, int rank)
{
    if (!run->beating)
        forgive(run);
    run->beating = true;
    run->silent_s[rank] = -since_look(hangs);
}

/* The rank that has been silent for too long, or -1. All signs come by rank 0: when that one is silent, too, it is the
 * one, and nothing is known of the others. */
static int find_silent(const struct run *run, double limit_s)
{
    int longest = 0;
    for (int rank = 1; rank < run->placement.ranks && run->silent_s[0] < limit_s / 2; rank++)
        longest = run->silent_s[rank] > run->silent_s[longest] ? rank : longest;
    return run->silent_s[longest] > limit_s ? longest : -1;
}

/* A debugger holds one of its processes: then nobody's silence counts, and who is let go has time to speak. */
static void forgive_traced(struct run *run, double limit_s)
{
    bool quiet = find_silent(run, limit_s / 2) >= 0 || run->stopped_s > limit_s / 2;
    if (quiet && process_signal_session((pid_t)run->attempt.pid, NULL, PROCESS_TRACED, 0) > 0)
        forgive(run);
}

/* Why the run counts as hanging, the caller's to free; NULL: it does not. */
static char *describe(const struct run *run, double limit_s)
{
    int silent = find_silent(run, limit_s);
    if (run->stopped_s > limit_s)
        return str_format("%s has been stopped for %g s", run->launched ? "its launcher" : "its worker", limit_s);
    if (run->beating && silent >= 0)
        return str_format("rank %d has not been heard of for %g s", silent, limit_s);
    if (!run->beating && run->placement.shares[0].host == 0 && run->silent_s[0] > START_FACTOR * limit_s)
        return str_format("no rank has been heard of in the %g s since its start", START_FACTOR * limit_s);
    return NULL;
}

static int look(struct run *run, double limit_s, double awake_s, struct err *err)
{
    pid_t session = (pid_t)run->attempt.pid;
    if (run->adopted || run->leader_gone || run->kill_s > 0)
        return 0;
    for (int rank = 0; rank < run->placement.ranks; rank++)
        run->silent_s[rank] += awake_s;
    run->stopped_s = process_signal_session(session, NULL, PROCESS_LEADER | PROCESS_STOPPED, 0) ? run->stopped_s + awake_s : 0;
    forgive_traced(run, limit_s);
    CLEANUP(free_ptr) char *reason = describe(run, limit_s);
    return reason ? acts_stop(run->acts, run->job, STOP_HANG, reason, err) : 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct hangs *hangs = timer->data;
    struct daemon *daemon = hangs->daemon;
    struct err err = {0};
    double awake_s = since_look(hangs);
    hangs->looked_s = clock_monotonic_s();
    for (struct run *run = acts_first(daemon->acts); run; run = run->next) {
        if (look(run, daemon->config.hang_after_s, awake_s, &err) != 0) {
            daemon_fail(daemon, &err);
            return;
        }
    }
    if (acts_running(daemon->acts) == 0)
        uv_timer_stop(timer);
}

int hangs_create(struct hangs **out, struct daemon *daemon, struct err *err)
{
    struct hangs *hangs = calloc(1, sizeof *hangs);
    if (!hangs)
        return err_set(err, -ENOMEM, "out of memory");
    hangs->daemon = daemon;
    hangs->timer.data = hangs;
    uv_timer_init(daemon->loop, &hangs->timer);
    *out = hangs;
    return 0;
}

void hangs_wake(struct hangs *hangs)
{
    double limit_s = hangs->daemon->config.hang_after_s;
    uint64_t period_ms = (uint64_t)(1e3 * fmin(limit_s / LOOKS_A_LIMIT, LOOK_MOST_S)) + 1;
    if (limit_s <= 0 || uv_is_active((uv_handle_t *)&hangs->timer))
        return;
    hangs->looked_s = clock_monotonic_s();
    uv_timer_start(&hangs->timer, on_timer, period_ms, period_ms);
}

void hangs_close(struct hangs *hangs)
{
    uv_close((uv_handle_t *)&hangs->timer, NULL);
}
