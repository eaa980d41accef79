/* See recover.h. Rows are read as they are: every commit left them whole, so there is nothing to repair. */
#include "daemon/recover.h"
#include "common/log.h"
#include "daemon/act.h"

#include <errno.h>

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
    return code;
}
