/* See recover.h. Rows are read as they are: every commit left them whole, so there is nothing to repair. */
#include "daemon/recover.h"
#include "common/log.h"
#include "common/str.h"
#include "daemon/act.h"
#include "daemon/place.h"

#include <errno.h>
#include <string.h>

static int keep(void *context, struct job_row **row)
{
    queue_add(context, TAKE(*row));
    return 0;
}

int recover_queue(struct daemon *daemon, struct err *err)
{
    return store_each_job(daemon->store, STORE_LIVE, keep, daemon->queue, err);
}

static int adopt(struct daemon *daemon, struct job *job, struct err *err)
{
    struct attempt attempt;
    const struct job_life *life = &job->row->life;
    int code = store_find_attempt(daemon->store, job->row->id, life->attempt, &attempt, err);
    return code ? code : acts_adopt(daemon->acts, job, &attempt, err);
}

int recover_place(struct daemon *daemon, struct err *err)
{
    CLEANUP(free_ptr) char *before = NULL;
    char now[24];
    int code = place_name(daemon->state, now, err);
    if (!code)
        code = store_setting(daemon->store, "place", &before, err);
    if (code)
        return code;
    daemon->copied = before && strcmp(before, now) != 0;
    if (daemon->copied && !daemon->drained)
        daemon->drained = str_format("this state directory is a copy, whose original may run the same jobs");
    return before ? 0 : store_set(daemon->store, "place", now, err);
}

/* What ran is put back: from now on the copy is a queue of its own. */
static int settle_place(struct daemon *daemon, struct err *err)
{
    char now[24];
    if (!daemon->copied || daemon->failed)
        return 0;
    log_warning("%s is a copy of another state directory: drained", daemon->state);
    int code = place_name(daemon->state, now, err);
    if (!code)
        code = store_set(daemon->store, "drained", daemon->drained, err);
    return code ? code : store_set(daemon->store, "place", now, err);
}

int recover_runs(struct daemon *daemon, struct err *err)
{
    int code = 0;
    struct job *job;
    daemon->recovered = json_array();
    for (size_t i = 0; !code && (job = queue_at(daemon->queue, i)); i++) {
        if (job->row->life.state != JOB_RUNNING || job->run)
            continue;
        json_array_append_new(daemon->recovered, json_integer(job->row->id));
        code = adopt(daemon, job, err);
    }
    if (json_array_size(daemon->recovered))
        log_info("%zu jobs ran when decoyd ended; they are put back", json_array_size(daemon->recovered));
    return code ? code : settle_place(daemon, err);
}
