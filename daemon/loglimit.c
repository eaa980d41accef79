/* See loglimit.h. */
#include "daemon/loglimit.h"
#include "common/log.h"
#include "common/path.h"
#include "daemon/act.h"
#include "daemon/run.h"
#include "daemon/trim.h"

enum { LOOK_MS = 2000, IDLE_MS = 60000, MIB = 1 << 20 };

struct loglimit {
    struct daemon *daemon;
    uv_timer_t timer;
    bool told;
};

static void trim(struct loglimit *loglimit, const char *directory, const char *name)
{
    CLEANUP(free_ptr) char *path = path_join(directory, name);
    struct err err = {0};
    if (trim_file(path, (int64_t)(loglimit->daemon->config.log_limit_mib * MIB), &err) == 0)
        return;
    if (!loglimit->told) /* once: it may be what fills the log */
        log_warning("%s", err.text);
    loglimit->told = true;
}

static void on_timer(uv_timer_t *timer)
{
    struct loglimit *loglimit = timer->data;
    struct daemon *daemon = loglimit->daemon;
    for (const struct run *run = acts_first(daemon->acts); run; run = run->next) {
        trim(loglimit, run->directory, "stderr");
        trim(loglimit, run->directory, "stdout");
    }
    trim(loglimit, daemon->state, "decoyd.log");
    uv_timer_start(timer, on_timer, acts_running(daemon->acts) ? LOOK_MS : IDLE_MS, 0);
}

int loglimit_create(struct loglimit **out, struct daemon *daemon, struct err *err)
{
    struct loglimit *loglimit = calloc(1, sizeof *loglimit);
    if (!loglimit)
        return err_set(err, -ENOMEM, "out of memory");
    loglimit->daemon = daemon;
    loglimit->timer.data = loglimit;
    uv_timer_init(daemon->loop, &loglimit->timer);
    uv_timer_start(&loglimit->timer, on_timer, LOOK_MS, 0);
    *out = loglimit;
    return 0;
}

void loglimit_wake(struct loglimit *loglimit)
{
    if (uv_timer_get_due_in(&loglimit->timer) > LOOK_MS)
        uv_timer_start(&loglimit->timer, on_timer, LOOK_MS, 0);
}

void loglimit_close(struct loglimit *loglimit)
{
    uv_close((uv_handle_t *)&loglimit->timer, NULL);
}
