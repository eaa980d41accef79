/* See deadline.h. The clock is wall time, as Slurm's is, so the timer never sleeps for more than a minute: it sees a clock
 * that was set. */
#include "daemon/deadline.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/str.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>

#define LOOK_S 60.0
#define LEAVE_S 5.0 /* between the last kill and the end: what decoyd itself needs to end */

struct deadline {
    struct daemon *daemon;
    int64_t end_us, closes_us;
    uv_timer_t timer;
    uv_signal_t warning;
};

/* "2026-01-31T18:30:00", or "NONE" and the like where there is no limit. */
static int ask_squeue(const char *job, int64_t *end_us)
{
    int64_t number;
    char line[64] = "";
    if (!str_to_int(job, &number) || number <= 0)
        return 0;
    CLEANUP(free_ptr) char *command = str_format("squeue --noheader --jobs %lld --format %%e 2>/dev/null", (long long)number);
    FILE *answer = popen(command, "re");
    if (!answer)
        return -errno;
    bool read = fgets(line, sizeof line, answer) != NULL;
    pclose(answer);
    line[strcspn(line, " \n")] = '\0';
    if (read && !clock_parse(line, clock_realtime_us(), end_us))
        log_info("Slurm names no end of job %s (%s)", job, line);
    return 0;
}

static void ask_slurm(int64_t *end_us)
{
    const char *end = getenv("SLURM_JOB_END_TIME"), *job = getenv("SLURM_JOB_ID");
    int64_t seconds;
    if (end && str_to_int(end, &seconds) && seconds > 0)
        *end_us = seconds * 1000000;
    else if (job && ask_squeue(job, end_us) != 0)
        log_warning("cannot ask squeue for the end of job %s; --until tells it", job);
}

double deadline_left_s(const struct deadline *deadline)
{
    return deadline->end_us ? 1e-6 * (double)(deadline->closes_us - clock_realtime_us()) : INFINITY;
}

int64_t deadline_end_us(const struct deadline *deadline)
{
    return deadline->end_us;
}

int64_t deadline_closes_us(const struct deadline *deadline)
{
    return deadline->closes_us;
}

/* Jobs may take what is left until the end, --close-before at most; as long as in a shutdown where no end is known. */
static void close_queue(struct deadline *deadline, const char *reason)
{
    struct daemon *daemon = deadline->daemon;
    double most_s = fmax(daemon->config.grace_s, daemon->config.close_before_s);
    if (deadline->end_us)
        daemon->config.grace_s =
            fmin(most_s, fmax(1, 1e-6 * (double)(deadline->end_us - clock_realtime_us()) - LEAVE_S));
    uv_timer_stop(&deadline->timer);
    daemon_shut_down(daemon, reason);
}

static void on_warning(uv_signal_t *handle, int number)
{
    (void)number;
    close_queue(handle->data, "the allocation is about to end (SIGUSR1)");
}

static void on_clock(uv_timer_t *timer)
{
    struct deadline *deadline = timer->data;
    double left_s = deadline_left_s(deadline);
    char end[CLOCK_TEXT_MAX];
    if (left_s > 0) {
        uv_timer_start(timer, on_clock, (uint64_t)(1e3 * fmin(left_s, LOOK_S)) + 1, 0);
        return;
    }
    CLEANUP(free_ptr)
    char *reason = str_format("the allocation ends at %s", clock_format_local(deadline->end_us, end));
    close_queue(deadline, reason);
}

int deadline_create(struct deadline **out, struct daemon *daemon, struct err *err)
{
    struct deadline *deadline = calloc(1, sizeof *deadline);
    if (!deadline)
        return err_set(err, -ENOMEM, "out of memory");
    deadline->daemon = daemon;
    deadline->end_us = daemon->config.until_us;
    if (!deadline->end_us)
        ask_slurm(&deadline->end_us);
    if (deadline->end_us)
        deadline->closes_us = deadline->end_us - (int64_t)(1e6 * daemon->config.close_before_s);
    uv_timer_init(daemon->loop, &deadline->timer);
    uv_signal_init(daemon->loop, &deadline->warning);
    deadline->timer.data = deadline->warning.data = deadline;
    uv_signal_start(&deadline->warning, on_warning, SIGUSR1);
    if (deadline->end_us)
        uv_timer_start(&deadline->timer, on_clock, 0, 0);
    *out = deadline;
    return 0;
}

void deadline_close(struct deadline *deadline)
{
    uv_close((uv_handle_t *)&deadline->timer, NULL);
    uv_close((uv_handle_t *)&deadline->warning, NULL);
}
