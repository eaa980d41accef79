/* The evaluate job with fake_predictor.c for a network: run_evaluate OUT MODEL DATASET AUDIT|- [DELTA [INVVAR_CONTROL]]. */
#include "common/log.h"
#include "daemon/worker/job.h"
#include "proto/spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int run(struct job *job, struct err *err)
{
    int code = team_create(&job->team, err);
    if (!code)
        code = link_create(&job->link, team_rank(job->team), err);
    if (!code)
        code = evaluate_run(job, err);
    if (code)
        log_error("%s", err->text);
    link_destroy(job->link);
    if (code && team_size(job->team) > 1)
        team_abort(job->team, 1);
    team_destroy(job->team);
    return code;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    if (argc < 5)
        return 2;
    json_t *given = json_pack("{ss ss ss sf}", "out", argv[1], "model", argv[2], "dataset", argv[3], "delta",
                              argc > 5 ? strtod(argv[5], NULL) : 0.05);
    if (strcmp(argv[4], "-") != 0)
        json_object_set_new(given, "audit", json_string(argv[4]));
    if (argc > 6)
        json_object_set_new(given, "invvar_control", json_string(argv[6]));
    json_t *spec = NULL;
    struct job job = {.threads = 1, .id = 7, .attempt = 1};
    int code = spec_resolve(spec_kind_find("evaluate", &err), given, &spec, &err);
    job.spec = spec;
    if (code)
        log_error("%s", err.text);
    else
        code = run(&job, &err);
    json_decref(given);
    json_decref(spec);
    return code ? 1 : 0;
}
