/* The evaluate job with fake_predictor.c for a network: run_evaluate OUT MODEL DATASET AUDIT|- DELTA [FIELD=VALUE...]. */
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
    if (argc < 6)
        return 2;
    json_t *given = json_pack("{ss ss ss sf}", "out", argv[1], "model", argv[2], "dataset", argv[3], "delta",
                              strtod(argv[5], NULL));
    if (strcmp(argv[4], "-") != 0)
        json_object_set_new(given, "audit", json_string(argv[4]));
    for (int i = 6; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value)
            return 2;
        *value++ = '\0';
        json_object_set_new(given, argv[i], json_string(value));
    }
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
