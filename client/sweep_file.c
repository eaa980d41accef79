/* See sweep.h: the file, its lines and its checks. */
#include "client/pipeline_parts.h"
#include "client/sweep.h"
#include "common/path.h"
#include "common/str.h"
#include "proto/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { SAMPLES_DEFAULT = 20 };

void sweep_destroy(struct sweep *sweep)
{
    if (!sweep)
        return;
    for (size_t i = 0; i < sweep->vary_count; i++)
        json_decref(sweep->vary[i].values);
    free(sweep->vary);
    json_decref(sweep->document);
    json_decref(sweep->lines);
    json_decref(sweep->fields);
    json_decref(sweep->options);
    free(sweep->path);
    free(sweep->name);
    free(sweep);
}

int sweep_blame(const struct sweep *sweep, const char *place, struct err *err)
{
    CLEANUP(free_ptr) char *at = str_format("%s", place);
    while (!json_object_get(sweep->lines, at) && strchr(at, '/'))
        *strrchr(at, '/') = '\0';
    json_int_t line = json_integer_value(json_object_get(sweep->lines, at));
    return line ? err_prefix(err, "%s:%lld", sweep->path, (long long)line)
                : err_prefix(err, "%s", sweep->path);
}

static const struct spec_kind *train_kind(void)
{
    return spec_kind_find("train", NULL);
}

/* Keys of an object that are none of "|key|key|". */
static int check_keys(const struct sweep *sweep, const char *place, const json_t *object, const char *keys,
                      struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        CLEANUP(free_ptr) char *word = str_format("|%s|", key);
        CLEANUP(free_ptr) char *at = str_format("%s%s%s", place, *place ? "/" : "", key);
        if (strstr(keys, word))
            continue;
        err_set(err, -EINVAL, "%.60s is not a key here (%.*s)", key, (int)strlen(keys) - 2, keys + 1);
        return sweep_blame(sweep, at, err);
    }
    return 0;
}

/* One member of `train`. */
static int read_fixed(struct sweep *sweep, const char *name, json_t *raw, struct err *err)
{
    const struct spec_field *field = pipeline_field(train_kind(), name),
                            *option = pipeline_field(spec_job_options(), name);
    json_t *checked = NULL;
    int code = 0;
    if (strcmp(name, "out") == 0 || strcmp(name, "name") == 0)
        code = err_set(err, -EINVAL, "each trial has its own %s, which the sweep gives it", name);
    else if (!field && !option)
        code = pipeline_refuse_field(train_kind(), name, json_object(), err);
    else if (json_is_object(raw) || json_is_array(raw))
        code = err_set(err, -EINVAL, "%s must be a single value; what has several stands under vary", name);
    else
        code = pipeline_check_value(field ? field : option, json_incref(raw), &checked, err);
    if (checked)
        json_object_set_new(field ? sweep->fields : sweep->options, name, checked);
    return code;
}

static int read_train(struct sweep *sweep, struct err *err)
{
    json_t *train = json_object_get(sweep->document, "train"), *raw;
    const char *name;
    if (!json_is_object(train)) {
        err_set(err, -EINVAL, "train must be a mapping, {dataset: DIR, FIELD: value, ...}");
        return sweep_blame(sweep, "train", err);
    }
    json_object_foreach(train, name, raw)
    {
        CLEANUP(free_ptr) char *place = str_format("train/%s", name);
        if (read_fixed(sweep, name, raw, err) != 0)
            return sweep_blame(sweep, place, err);
    }
    return 0;
}

static int apply_setting(struct sweep *sweep, const char *setting, struct err *err)
{
    const char *equals = strchr(setting, '=');
    if (!equals || equals == setting)
        return err_set(err, -EINVAL, "--set takes FIELD=VALUE, not %.60s", setting);
    CLEANUP(free_ptr) char *name = strndup(setting, (size_t)(equals - setting));
    json_t *value = json_string(equals + 1);
    int code = value ? read_fixed(sweep, name, value, err) : err_set(err, -EINVAL, "the value is not UTF-8");
    json_decref(value);
    return code ? err_prefix(err, "--set %s", name) : 0;
}

static int check_needed(const struct sweep *sweep, struct err *err)
{
    if (json_object_get(sweep->fields, "dataset"))
        return 0;
    err_set(err, -EINVAL, "train needs a dataset, here or by --set dataset=DIR");
    return sweep_blame(sweep, "train", err);
}

static int read_range(struct sweep_vary *vary, const json_t *raw, struct err *err)
{
    const json_t *from = json_object_get(raw, "from"), *to = json_object_get(raw, "to");
    const json_t *given = json_object_get(raw, "scale");
    const char *scale = given ? json_string_value(given) : "linear";
    bool number = vary->field ? vary->field->type == SPEC_INT || vary->field->type == SPEC_REAL ||
                                    vary->field->type == SPEC_SPAN
                              : true;
    if (!number)
        return err_set(err, -EINVAL, "%s is no number: give a list of values", vary->name);
    if (!json_is_number(from) || !json_is_number(to) || !scale ||
        (strcmp(scale, "log") != 0 && strcmp(scale, "linear") != 0))
        return err_set(err, -EINVAL, "a range is {from: NUMBER, to: NUMBER, scale: linear|log}");
    vary->from = json_number_value(from);
    vary->to = json_number_value(to);
    vary->log = strcmp(scale, "log") == 0;
    vary->whole = vary->field ? vary->field->type == SPEC_INT : json_is_integer(from) && json_is_integer(to);
    if (vary->from >= vary->to || (vary->log && vary->from <= 0))
        return err_set(err, -EINVAL,
                       vary->from >= vary->to ? "from must be below to" : "scale: log needs numbers above 0");
    return 0;
}

/* The ends of a range, too, must be values of the field. */
static int check_ends(const struct sweep_vary *vary, struct err *err)
{
    const double ends[] = {vary->from, vary->to};
    int code = 0;
    for (int i = 0; vary->field && !code && i < 2; i++) {
        json_t *checked = NULL;
        code = pipeline_check_value(
            vary->field, vary->whole ? json_integer((json_int_t)ends[i]) : json_real(ends[i]), &checked, err);
        json_decref(checked);
    }
    return code;
}

static int read_list(const struct sweep *sweep, struct sweep_vary *vary, json_t *raw, struct err *err)
{
    json_t *value;
    size_t i;
    vary->values = json_array();
    json_array_foreach(raw, i, value)
    {
        CLEANUP(free_ptr) char *place = str_format("vary/%s/%zu", vary->name, i);
        json_t *checked = NULL;
        int code = 0;
        if (json_is_object(value) || json_is_array(value))
            code = err_set(err, -EINVAL, "%s must be single values", vary->name);
        else if (vary->field)
            code = pipeline_check_value(vary->field, json_incref(value), &checked, err);
        else
            checked = json_incref(value);
        if (code)
            return sweep_blame(sweep, place, err);
        json_array_append_new(vary->values, checked ? checked : json_null());
    }
    return 0;
}

/* Whether it is a key of layers, or else one of the fields that may differ between trials. */
static int find_vary(struct sweep_vary *vary, struct err *err)
{
    static const char OURS[] = "|out|dataset|";
    CLEANUP(free_ptr) char *word = str_format("|%s|", vary->name);
    if (strchr(vary->name, '.'))
        return 0;
    vary->field = pipeline_field(train_kind(), vary->name);
    if (vary->field && !strstr(OURS, word))
        return 0;
    if (vary->field || pipeline_field(spec_job_options(), vary->name))
        return err_set(err, -EINVAL, "%s must be the same for all trials", vary->name);
    return pipeline_refuse_field(train_kind(), vary->name, json_object(), err);
}

static int open_vary(struct sweep *sweep, const char *name, json_t *raw, struct err *err)
{
    struct sweep_vary *vary = &sweep->vary[sweep->vary_count++];
    CLEANUP(free_ptr) char *place = str_format("vary/%s", name);
    *vary = (struct sweep_vary){.name = name};
    int code = find_vary(vary, err);
    if (!code && json_array_size(raw))
        return read_list(sweep, vary, raw, err);
    if (!code && !json_is_object(raw))
        code = err_set(err, -EINVAL, "%s needs a list of values%s", name,
                       sweep->random ? ", or {from, to, scale}" : "");
    if (!code && !sweep->random)
        code = err_set(err, -EINVAL, "a grid needs a list of values; ranges are for search: random");
    if (!code)
        code = check_keys(sweep, place, raw, "|from|to|scale|", err);
    else
        return sweep_blame(sweep, place, err);
    if (code)
        return code;
    code = read_range(vary, raw, err);
    if (!code)
        code = check_ends(vary, err);
    return code ? sweep_blame(sweep, place, err) : 0;
}

static int read_vary(struct sweep *sweep, struct err *err)
{
    json_t *vary = json_object_get(sweep->document, "vary"), *raw;
    const char *name;
    int code = 0;
    if (json_object_size(vary) == 0) {
        err_set(err, -EINVAL, "vary must be a mapping, {FIELD: [value, ...], ...}");
        return sweep_blame(sweep, "vary", err);
    }
    sweep->vary = calloc(json_object_size(vary), sizeof *sweep->vary);
    if (!sweep->vary)
        return err_set(err, -ENOMEM, "out of memory");
    json_object_foreach(vary, name, raw)
    {
        if (!code)
            code = open_vary(sweep, name, raw, err);
    }
    return code;
}

/* A whole number of the file's head. */
static int read_count(const struct sweep *sweep, const char *name, json_int_t preset, json_int_t least,
                      json_int_t most, json_int_t *value, struct err *err)
{
    const json_t *given = json_object_get(sweep->document, name);
    *value = given ? json_integer_value(given) : preset;
    if ((!given || json_is_integer(given)) && *value >= least && *value <= most)
        return 0;
    err_set(err, -EINVAL, "%s must be a whole number of %lld to %lld", name, (long long)least,
            (long long)most);
    return sweep_blame(sweep, name, err);
}

static int read_search(struct sweep *sweep, struct err *err)
{
    const json_t *given = json_object_get(sweep->document, "search");
    const char *search = given ? json_string_value(given) : "grid";
    json_int_t samples, seed;
    if (!search || (strcmp(search, "grid") != 0 && strcmp(search, "random") != 0)) {
        err_set(err, -EINVAL, "search must be grid or random");
        return sweep_blame(sweep, "search", err);
    }
    sweep->random = strcmp(search, "random") == 0;
    int code = read_count(sweep, "samples", SAMPLES_DEFAULT, 1, SWEEP_TRIALS_MAX, &samples, err);
    if (!code)
        code = read_count(sweep, "seed", 1, 0, (json_int_t)9e15, &seed, err);
    if (code)
        return code;
    sweep->samples = (size_t)samples;
    sweep->seed = (uint64_t)seed;
    return 0;
}

static int read_name(struct sweep *sweep, struct err *err)
{
    const json_t *given = json_object_get(sweep->document, "name");
    const char *file = path_name(sweep->path), *dot = strrchr(file, '.');
    if (given && !json_is_string(given)) {
        err_set(err, -EINVAL, "name must be text");
        return sweep_blame(sweep, "name", err);
    }
    sweep->name = given ? str_format("%s", json_string_value(given))
                        : str_format("%.*s", (int)(dot ? (size_t)(dot - file) : strlen(file)), file);
    return 0;
}

static int read_document(struct sweep *sweep, const json_t *settings, struct err *err)
{
    json_t *setting;
    size_t i;
    int code = yaml_read_lines(sweep->path, &sweep->document, sweep->lines, err);
    if (!code && !json_is_object(sweep->document))
        code = err_set(err, -EINVAL, "%s must be a mapping with train and vary", sweep->path);
    if (!code)
        code = check_keys(sweep, "", sweep->document, "|name|search|samples|seed|train|vary|", err);
    if (!code)
        code = read_name(sweep, err);
    if (!code)
        code = read_search(sweep, err);
    if (!code)
        code = read_train(sweep, err);
    json_array_foreach((json_t *)settings, i, setting)
    {
        if (!code)
            code = apply_setting(sweep, json_string_value(setting), err);
    }
    if (!code)
        code = check_needed(sweep, err);
    return code ? code : read_vary(sweep, err);
}

int sweep_read(struct sweep **out, const char *path, const json_t *settings, struct err *err)
{
    CLEANUP(sweep_destroy_ptr) struct sweep *sweep = calloc(1, sizeof *sweep);
    if (!sweep)
        return err_set(err, -ENOMEM, "out of memory");
    sweep->path = str_format("%s", path);
    sweep->lines = json_object();
    sweep->fields = json_object();
    sweep->options = json_object();
    int code = read_document(sweep, settings, err);
    if (!code)
        *out = TAKE(sweep);
    return code;
}
