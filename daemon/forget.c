/* See forget.h. The database first, then the directories: what is left behind by a death in between is a directory
 * of logs that nobody knows of, never a job without its history. */
#include "daemon/forget.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/str.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>

enum { PIECE = 500, PERIOD_MS = 3600 * 1000 };

#define DAY_US INT64_C(86400000000)

struct forgetting {
    struct daemon *daemon;
    uv_timer_t timer;
};

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status, (void)kind, (void)at;
    return remove(path);
}

static void remove_logs(const struct daemon *daemon, int64_t id)
{
    CLEANUP(free_ptr) char *directory = str_format("%s/jobs/%lld", daemon->state, (long long)id);
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Nothing that has not ended may come after it: it would lose what it waits for. */
static int check(struct daemon *daemon, int64_t id, struct err *err)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    CLEANUP(free_ptr) int64_t *later = NULL;
    size_t count = 0;
    int code = store_find_job(daemon->store, id, &row, err);
    if (!code && !job_ended(row->life.state))
        code = err_set(err, -EBUSY, "job %lld is %s: only jobs that have ended can be forgotten",
                       (long long)id, job_state_name(row->life.state));
    if (!code)
        code = store_dependants(daemon->store, id, &later, &count, err);
    for (size_t i = 0; !code && i < count; i++) {
        const struct job *job = queue_find(daemon->queue, later[i]);
        if (job && !job_ended(job->row->life.state))
            code = err_set(err, -EBUSY, "job %lld comes after job %lld and has not ended",
                           (long long)later[i], (long long)id);
    }
    return code;
}

int forget_jobs(struct daemon *daemon, const int64_t *ids, size_t count, struct err *err)
{
    int code = store_begin(daemon->store, err);
    if (code)
        return code;
    for (size_t i = 0; !code && i < count; i++) {
        code = check(daemon, ids[i], err);
        if (!code)
            code = store_forget_job(daemon->store, ids[i], err);
    }
    if (!code)
        code = store_commit(daemon->store, err);
    if (code) {
        store_rollback(daemon->store);
        return code;
    }
    for (size_t i = 0; i < count; i++)
        remove_logs(daemon, ids[i]);
    return 0;
}

int forget_before(struct daemon *daemon, int64_t before_us, size_t *count, struct err *err)
{
    int code = 0;
    *count = 0;
    for (size_t got = PIECE; !code && got == PIECE;) {
        CLEANUP(free_ptr) int64_t *ids = NULL;
        code = store_old_jobs(daemon->store, before_us, PIECE, &ids, &got, err);
        if (!code && got)
            code = forget_jobs(daemon, ids, got, err);
        *count += code ? 0 : got;
    }
    return code;
}

static void on_timer(uv_timer_t *timer)
{
    struct daemon *daemon = ((struct forgetting *)timer->data)->daemon;
    struct err err = {0};
    size_t count = 0;
    int64_t before_us = clock_realtime_us() - (int64_t)(daemon->config.keep_days * (double)DAY_US);
    int code = forget_before(daemon, before_us, &count, &err);
    if (count)
        log_info("%zu jobs that ended more than %g days ago are forgotten", count, daemon->config.keep_days);
    if (code == -ENOSPC)
        log_error("%s", err.text);
    else if (code)
        daemon_fail(daemon, &err);
}

int forgetting_create(struct forgetting **out, struct daemon *daemon, struct err *err)
{
    struct forgetting *forgetting = calloc(1, sizeof *forgetting);
    if (!forgetting)
        return err_set(err, -ENOMEM, "out of memory");
    forgetting->daemon = daemon;
    forgetting->timer.data = forgetting;
    uv_timer_init(daemon->loop, &forgetting->timer);
    *out = forgetting;
    return 0;
}

void forgetting_start(struct forgetting *forgetting)
{
    if (forgetting->daemon->config.keep_days > 0)
        uv_timer_start(&forgetting->timer, on_timer, 1000, PERIOD_MS);
}

void forgetting_close(struct forgetting *forgetting)
{
    uv_close((uv_handle_t *)&forgetting->timer, NULL);
}
