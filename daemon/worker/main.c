/* decoy-worker --spec FILE: does one job, described by {"kind", "fields", "threads", "job", "attempt"}, and ends
 * with 0, or with one sentence on standard error and 1 (failed), 2 (usage), 75 (stopped as asked: go on later). */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/path.h"
#include "daemon/worker/bind.h"
#include "daemon/worker/confine.h"
#include "daemon/worker/job.h"
#include "daemon/worker/outdir.h"
#include "daemon/worker/pulse.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <errno.h>
#include <string.h>

enum { STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_STOPPED = 75 };

static const struct kind {
    const char *name;
    job_run *run;
    bool programs; /* it starts gnuplot */
} KINDS[] = {
    {"mock", mock_run},         {"inject", inject_run}, {"cutouts", cutouts_run},
    {"split", split_run},       {"train", train_run},   {"evaluate", evaluate_run, true},
    {"audit", audit_run, true}, {"export", export_run}, {"gallery", gallery_run},
    {"model", model_run},
    {"ckpt", ckpt_run},
};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (strcmp(name, KINDS[i].name) == 0)
            return &KINDS[i];
    }
    return NULL;
}

/* The job file, checked again: a worker trusts no one's validation but its own. */
static int load_job(const char *path, struct job *job, json_t **spec, const struct kind **does,
                    struct err *err)
{
    json_t *file;
    int code = json_read_file(path, &file, err);
    if (code)
        return code;
    const char *name = json_string_value(json_object_get(file, "kind"));
    const struct spec_kind *kind = spec_kind_find(name ? name : "", err);
    kind = kind ? kind : spec_tool_find(name ? name : "", NULL);
    *does = kind ? find_kind(name) : NULL;
    code = *does ? spec_resolve(kind, json_object_get(file, "fields"), spec, err) : -EINVAL;
    job->spec = *spec;
    job->threads = (int)json_integer_value(json_object_get(file, "threads"));
    job->id = (long)json_integer_value(json_object_get(file, "job"));
    job->attempt = (int)json_integer_value(json_object_get(file, "attempt"));
    if (job->threads < 1)
        job->threads = 1;
    json_decref(file);
    return code ? err_prefix(err, "%s", path) : 0;
}

enum { OUTPUTS = 2 };

/* The directories that a job writes to (NULL: it has none) are made before: none could be made outside of them after. */
static int run_confined(struct job *job, const struct kind *kind, const char *out, struct err *err)
{
    const char *outputs[OUTPUTS] = {out, spec_text(job->spec, "cache")}, *writable[OUTPUTS + 2] = {NULL};
    bool fresh[OUTPUTS] = {false};
    size_t count = 0;
    int code = 0;
    for (int i = 0; i < OUTPUTS && !code; i++) {
        if (!outputs[i])
            continue;
        fresh[i] = !path_exists(outputs[i]);
        code = path_make_directories(outputs[i], 0777, err);
        writable[count++] = outputs[i];
    }
    writable[count] = getenv("DECOY_ATTEMPT_DIR");
    if (!code)
        code = confine_rank(writable, kind->programs, err);
    if (!code) {
        team_barrier(job->team); /* they are there for all ranks before one that is refused removes them */
        code = kind->run(job, err);
    }
    for (int i = 0; i < OUTPUTS; i++) {
        if (code && fresh[i])
            rmdir(outputs[i]); /* a job that was refused leaves nothing */
    }
    return code;
}

static int run_linked(struct job *job, const struct kind *kind, struct err *err)
{
    struct pulse *pulse = NULL;
    const char *out = spec_text(job->spec, "out");
    int code = out ? outdir_check(kind->name, out, err) : 0;
    if (!code)
        code = pulse_start(&pulse, job->team, job->link, err);
    if (!code)
        code = run_confined(job, kind, out, err);
    if (!code || code == -ECANCELED)
        team_barrier(job->team); /* until the last one is done, all are heard of */
    pulse_stop(pulse);
    return code;
}

static int run_job(struct job *job, const struct kind *kind, struct err *err)
{
    int code = team_create(&job->team, err);
    if (code) {
        log_error("%s", err->text);
        return code;
    }
    code = link_create(&job->link, team_rank(job->team), err);
    if (!code)
        code = run_linked(job, kind, err);
    if (code == -ECANCELED)
        link_note(job->link, "stopped as asked; what was finished is kept");
    else if (code)
        log_error("%s", err->text);
    link_destroy(job->link);
    if (code && code != -ECANCELED && team_size(job->team) > 1)
        team_abort(job->team, STATUS_FAILED);
    team_destroy(job->team);
    return code;
}

static int print_version(void)
{
    char layers[128];
    confine_layers(layers, sizeof layers);
    printf("decoy-worker " DECOY_VERSION "\nreaders of bricks are confined by: %s\n", layers);
    return 0;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct job job = {0};
    json_t *spec = NULL;
    const struct kind *kind = NULL;
    link_catch_signals(); /* before MPI starts: a launcher may hand signals on from then on */
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        return print_version();
    }
    if (argc != 3 || strcmp(argv[1], "--spec") != 0) {
        fprintf(stderr, "usage: decoy-worker --spec FILE.json | --version\n");
        return STATUS_USAGE;
    }
    if (load_job(argv[2], &job, &spec, &kind, &err) != 0) {
        log_error("%s", err.text);
        return STATUS_USAGE;
    }
    bind_rank(job.threads);
    int code = run_job(&job, kind, &err);
    json_decref(spec);
    return code == 0 ? 0 : code == -ECANCELED ? STATUS_STOPPED : STATUS_FAILED;
}
