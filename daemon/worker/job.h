/* What a job kind is given to do its work. One job a process; every rank runs the same function. */
#ifndef DECOY_WORKER_JOB_H
#define DECOY_WORKER_JOB_H

#include "common/err.h"
#include "daemon/worker/link.h"
#include "daemon/worker/team.h"

#include <jansson.h>

struct job {
    const json_t *spec; /* resolved (proto/spec.h): every field of the kind is there */
    struct team *team;
    struct link *link;
    int threads; /* a rank may use */
    long id;     /* 0 when run by hand, without a daemon */
    int attempt;
};

/* 0, or a negative errno and a sentence. -ECANCELED: asked to stop, and what was finished is on disk. */
typedef int job_run(struct job *job, struct err *err);

job_run mock_run, inject_run, cutouts_run, split_run, audit_run, export_run, gallery_run, model_run,
    train_run, evaluate_run, ckpt_run;

#endif
