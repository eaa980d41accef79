/* See config.h. */
#include "daemon/config.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/path.h"
#include "common/program.h"
#include "common/str.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Puts what DECOY_FIELD holds into values. */
static int add_environment(const struct spec_field *field, json_t *values, struct err *err)
{
    CLEANUP(free_ptr) char *name = str_format("DECOY_%s", field->name);
    struct spec_field named = *field;
    json_t *value = NULL;
    for (char *at = name; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    const char *text = getenv(name);
    if (!text || !*text)
        return 0;
    named.name = name;
    int code = spec_parse(&named, text, &value, err);
    return code ? code : json_object_set_new(values, field->name, value);
}

static int read_file(const char *state, json_t **values, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(state, "decoyd.yaml");
    json_t *resolved = NULL;
    *values = NULL;
    if (!path_exists(path)) {
        *values = json_object();
        return 0;
    }
    int code = yaml_read_file(path, values, err);
    if (code)
        return code;
    code = spec_resolve(spec_daemon_options(), *values, &resolved, err); /* the sentence names the file */
    json_decref(resolved);
    return code ? err_prefix(err, "%s", path) : 0;
}

static int collect(const json_t *flags, const char *state, json_t **values, struct err *err)
{
    const struct spec_kind *options = spec_daemon_options();
    int code = read_file(state, values, err);
    for (size_t i = 0; !code && i < options->count; i++)
        code = add_environment(&options->fields[i], *values, err);
    if (!code)
        json_object_update(*values, (json_t *)flags);
    return code;
}

/* 0 where no end was told. */
static int read_until(const json_t *resolved, int64_t *until_us, struct err *err)
{
    const char *text = spec_text(resolved, "until");
    int64_t now_us = clock_realtime_us();
    *until_us = 0;
    if (!text)
        return 0;
    if (!clock_parse(text, now_us, until_us))
        return err_set(err, -EINVAL, "until must be a time such as 18:30, 2026-01-31T18:30, +4h or @1769857200, not %.40s",
                       text);
    return *until_us > now_us ? 0 : err_set(err, -EINVAL, "until: %.40s is past", text);
}

/* mpirun where there is one: it notices a lost host in seconds. */
static bool choose_srun(const char *launcher)
{
    CLEANUP(free_ptr) char *mpirun = strcmp(launcher, "auto") == 0 ? program_in_path("mpirun") : NULL;
    CLEANUP(free_ptr) char *srun = mpirun ? NULL : program_in_path("srun");
    return strcmp(launcher, "srun") == 0 || (strcmp(launcher, "auto") == 0 && !mpirun && srun);
}

/* A copy; NULL where the field is. */
static char *text_of(const json_t *resolved, const char *name)
{
    const char *text = spec_text(resolved, name);
    return text ? str_format("%s", text) : NULL;
}

/* node_exporter reads files of this name only. */
static int check_metrics_file(const char *path, struct err *err)
{
    const char *end = path ? strrchr(path, '.') : NULL;
    return !path || (end && strcmp(end, ".prom") == 0) ? 0 : err_set(err, -EINVAL, "metrics_file must end in .prom, not be %s", path);
}

int config_read(struct config *config, const json_t *flags, const char *state, struct err *err)
{
    json_t *values = NULL, *resolved = NULL;
    int code = collect(flags, state, &values, err);
    if (!code)
        code = spec_resolve(spec_daemon_options(), values, &resolved, err);
    if (!code)
        *config = (struct config){
            .slots = (int)spec_int(resolved, "slots"),
            .grace_s = spec_real(resolved, "grace"),
            .hang_after_s = spec_real(resolved, "hang_after"),
            .hosts = text_of(resolved, "hosts"),
            .srun = choose_srun(spec_text(resolved, "launcher")),
            .close_before_s = spec_real(resolved, "close_before"),
            .least_run_s = spec_real(resolved, "least_run"),
            .keep_days = spec_real(resolved, "keep_days"),
            .log_limit_mib = spec_real(resolved, "log_limit"),
            .listen = text_of(resolved, "listen"),
            .metrics_file = text_of(resolved, "metrics_file"),
            .metrics_every_s = spec_real(resolved, "metrics_every"),
        };
    if (!code)
        code = read_until(resolved, &config->until_us, err);
    if (!code)
        code = check_metrics_file(config->metrics_file, err);
    json_decref(values);
    json_decref(resolved);
    return code;
}
