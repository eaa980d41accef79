/* See pipeline.h. Opens no file but the pipeline's own and knows no daemon. */
#include "client/pipeline.h"
#include "client/flags.h"
#include "client/substitute.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <errno.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 20, STAGES_MAX = 1000, STAGE_NAME_MAX = 27 };

enum mark { UNSEEN, OPEN, PLACED };

struct stage {
    const char *name; /* borrowed from the document, as body is */
    json_t *body;
    const struct spec_kind *kind;
    json_t *out; /* a string */
    json_t *fields, *options;
    bool *needs; /* by index of stage */
    enum mark mark;
    size_t position; /* in the submit */
};

struct pipeline {
    char *path;
    json_t *document; /* as the file has it */
    json_t *params;   /* with what was set */
    char *name;
    struct stage *stages;
    size_t count;
    size_t placed; /* during pipeline_plan */
};

/* What ${name} is looked up for. */
struct lookup {
    struct pipeline *pipeline;
    struct stage *stage; /* whose needs are noted; NULL: stages are not allowed here */
};

const char *pipeline_name(const struct pipeline *pipeline)
{
    return pipeline->name;
}

void pipeline_destroy(struct pipeline *pipeline)
{
    if (!pipeline)
        return;
    for (size_t i = 0; i < pipeline->count; i++) {
        json_decref(pipeline->stages[i].out);
        json_decref(pipeline->stages[i].fields);
        json_decref(pipeline->stages[i].options);
        free(pipeline->stages[i].needs);
    }
    free(pipeline->stages);
    json_decref(pipeline->document);
    json_decref(pipeline->params);
    free(pipeline->name);
    free(pipeline->path);
    free(pipeline);
}

/* "; did you mean X?" among the keys of objects and the names of tables. */
static void hint(char text[96], const char *word, const json_t *keys, const struct stage *stages,
                 size_t count)
{
    CLEANUP(free_ptr) const char **names = calloc(json_object_size(keys) + count + 1, sizeof *names);
    const char *name;
    json_t *value;
    size_t used = 0;
    json_object_foreach((json_t *)keys, name, value) names[used++] = name;
    for (size_t i = 0; i < count; i++)
        names[used++] = stages[i].name;
    const char *nearest = names ? str_nearest(word, names, used) : NULL;
    snprintf(text, 96, nearest ? "; did you mean %s?" : "%s", nearest ? nearest : "");
}

static bool is_plain_name(const char *name, size_t most)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t length = strlen(name);
    return length >= 1 && length <= most && strspn(name, LETTERS) == length && name[0] != '.';
}

static int check_params(struct pipeline *pipeline, struct err *err)
{
    json_t *params = json_object_get(pipeline->document, "params");
    const char *name;
    json_t *value;
    if (params && !json_is_object(params))
        return err_set(err, -EINVAL, "%s: params must be a mapping, NAME: default", pipeline->path);
    json_object_foreach(params, name, value)
    {
        if (!is_plain_name(name, SUBSTITUTE_NAME_MAX - 1))
            return err_set(err, -EINVAL, "%s: %.60s is no name for a param (letters, digits, _ - .)",
                           pipeline->path, name);
        if (json_is_object(value) || json_is_array(value))
            return err_set(err, -EINVAL, "%s: param %s must be a single value", pipeline->path, name);
    }
    pipeline->params = params ? json_copy(params) : json_object();
    return 0;
}

static int open_stage(struct pipeline *pipeline, const char *name, json_t *body, struct err *err)
{
    struct stage *stage = &pipeline->stages[pipeline->count];
    *stage = (struct stage){.name = name, .body = body};
    if (!is_plain_name(name, STAGE_NAME_MAX))
        return err_set(err, -EINVAL, "%s: %.60s is no name for a stage (at most %d letters, digits, _ - .)",
                       pipeline->path, name, STAGE_NAME_MAX);
    if (json_object_get(pipeline->params, name))
        return err_set(err, -EINVAL, "%s: %s is the name of a param and of a stage", pipeline->path, name);
    if (!json_is_object(body))
        return err_set(err, -EINVAL, "%s:%s: a stage must be a mapping, {kind: KIND, FIELD: value, ...}",
                       pipeline->path, name);
    const char *kind = json_string_value(json_object_get(body, "kind"));
    if (!kind)
        return err_set(err, -EINVAL, "%s:%s:kind: a stage needs a kind, like mock or train", pipeline->path,
                       name);
    stage->kind = spec_kind_find(kind, err);
    if (!stage->kind)
        return err_prefix(err, "%s:%s:kind", pipeline->path, name);
    stage->needs =
        calloc(json_object_size(json_object_get(pipeline->document, "stages")), sizeof *stage->needs);
    pipeline->count++;
    return stage->needs ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int open_stages(struct pipeline *pipeline, struct err *err)
{
    json_t *stages = json_object_get(pipeline->document, "stages"), *body;
    const char *name;
    if (!json_is_object(stages) || json_object_size(stages) == 0)
        return err_set(err, -EINVAL, "%s has no stages: {STAGE: {kind: KIND, ...}}", pipeline->path);
    if (json_object_size(stages) > STAGES_MAX)
        return err_set(err, -EINVAL, "%s has more than %d stages", pipeline->path, STAGES_MAX);
    pipeline->stages = calloc(json_object_size(stages), sizeof *pipeline->stages);
    int code = pipeline->stages ? 0 : err_set(err, -ENOMEM, "out of memory");
    json_object_foreach(stages, name, body)
    {
        if (!code)
            code = open_stage(pipeline, name, body, err);
    }
    return code;
}

static int check_document(struct pipeline *pipeline, struct err *err)
{
    json_t *known = json_pack("{sb sb sb}", "name", 1, "params", 1, "stages", 1), *value;
    const char *name;
    int code = json_is_object(pipeline->document)
                   ? 0
                   : err_set(err, -EINVAL, "%s must be a mapping with stages", pipeline->path);
    json_object_foreach(pipeline->document, name, value)
    {
        char meant[96];
        hint(meant, name, known, NULL, 0);
        if (!code && !json_object_get(known, name))
            code = err_set(err, -EINVAL, "%s: %.60s is none of name, params, stages%s", pipeline->path, name,
                           meant);
    }
    json_decref(known);
    return code;
}

static int read_name(struct pipeline *pipeline, struct err *err)
{
    json_t *given = json_object_get(pipeline->document, "name");
    const char *file = path_name(pipeline->path), *dot = strrchr(file, '.');
    pipeline->name = json_is_string(given)
                         ? str_format("%s", json_string_value(given))
                         : str_format("%.*s", (int)(dot ? (size_t)(dot - file) : strlen(file)), file);
    if ((given && !json_is_string(given)) || !is_plain_name(pipeline->name, 64))
        return err_set(err, -EINVAL, "%s:name: a run's name is made of letters, digits, _ - .",
                       pipeline->path);
    return 0;
}

static int read_document(struct pipeline *pipeline, struct err *err)
{
    CLEANUP(free_ptr) char *text = NULL;
    size_t size;
    int code = file_read(pipeline->path, FILE_LIMIT, &text, &size, err);
    if (code)
        return code;
    substitute_hide_braces(text, size);
    return yaml_parse_bytes(pipeline->path, text, size, &pipeline->document, err);
}

int pipeline_read(struct pipeline **out, const char *path, struct err *err)
{
    CLEANUP(pipeline_destroy_ptr) struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline)
        return err_set(err, -ENOMEM, "out of memory");
    pipeline->path = str_format("%s", path);
    int (*const STEPS[])(struct pipeline *, struct err *) = {read_document, check_document, read_name,
                                                             check_params, open_stages};
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
        int code = STEPS[i](pipeline, err);
        if (code)
            return code;
    }
    *out = TAKE(pipeline);
    return 0;
}

int pipeline_set(struct pipeline *pipeline, const char *setting, struct err *err)
{
    const char *equals = strchr(setting, '=');
    if (!equals || equals == setting)
        return err_set(err, -EINVAL, "--set takes NAME=VALUE, not %.60s", setting);
    CLEANUP(free_ptr) char *name = strndup(setting, (size_t)(equals - setting));
    const char *text = equals + 1;
    if (!json_object_get(pipeline->params, name)) {
        char meant[96];
        hint(meant, name, pipeline->params, NULL, 0);
        return err_set(err, -EINVAL, "--set %.60s: %s has no such param%s", name, pipeline->path, meant);
    }
    bool none = !*text || strcmp(text, "null") == 0 || strcmp(text, "~") == 0;
    json_t *value = none ? json_null() : json_string(text);
    if (!value)
        return err_set(err, -EINVAL, "--set %.60s: the value is not UTF-8", name);
    json_object_set_new(pipeline->params, name, value);
    return 0;
}

static struct stage *find_stage(const struct pipeline *pipeline, const char *name)
{
    for (size_t i = 0; i < pipeline->count; i++) {
        if (strcmp(pipeline->stages[i].name, name) == 0)
            return &pipeline->stages[i];
    }
    return NULL;
}

static json_t *find_value(void *context, const char *name, struct err *err)
{
    struct lookup *lookup = context;
    struct pipeline *pipeline = lookup->pipeline;
    json_t *value = json_object_get(pipeline->params, name);
    struct stage *stage = value ? NULL : find_stage(pipeline, name);
    if (value)
        return value;
    if (stage && lookup->stage) {
        lookup->stage->needs[stage - pipeline->stages] = true;
        return stage->out;
    }
    char meant[96];
    hint(meant, name, pipeline->params, pipeline->stages, lookup->stage ? pipeline->count : 0);
    err_set(err, -EINVAL,
            stage ? "${%s} is a stage, and only params may stand here"
                  : "${%s} is neither a param nor a stage%s",
            name, meant);
    return NULL;
}

/* Paths absolute against the working directory; a preset's name stays a name. */
static json_t *absolute_text(const struct spec_field *field, json_t *value)
{
    const char *text = json_string_value(value);
    bool path = field->type == SPEC_INPUT || field->type == SPEC_OUTPUT ||
                (field->type == SPEC_PRESET && text && strchr(text, '/'));
    if (!text || !*text || !path)
        return value;
    CLEANUP(free_ptr) char *absolute = path_absolute(text);
    json_decref(value);
    return json_string(absolute);
}

/* One value by the rules of its field; takes value. *checked is NULL for one that is not given. */
static int check_value(const struct spec_field *field, json_t *value, json_t **checked, struct err *err)
{
    struct spec_field free_field = *field;
    const struct spec_kind one = {field->name, "", &free_field, 1};
    bool text = field->type >= SPEC_TEXT, max = strcmp(field->name, "ranks") == 0 && json_is_string(value);
    free_field.required = false;
    free_field.preset = NULL;
    if (max && strcmp(json_string_value(value), "max") == 0) {
        *checked = value;
        return 0;
    }
    if (text && json_is_number(value)) {
        json_t *number = value;
        value = scalar_as_text(number);
        json_decref(number);
    }
    value = absolute_text(field, value);
    json_t *given = json_pack("{so}", field->name, value), *resolved = NULL;
    int code = spec_resolve(&one, given, &resolved, err);
    if (!code && !json_is_null(json_object_get(resolved, field->name)))
        *checked = json_incref(json_object_get(resolved, field->name));
    json_decref(resolved);
    json_decref(given);
    return code;
}

/* A value of the file, with its references replaced and checked. */
static int read_value(struct lookup *lookup, const struct spec_field *field, json_t *raw, json_t **checked,
                      struct err *err)
{
    json_t *value = NULL;
    if (json_is_object(raw) || json_is_array(raw))
        return err_set(err, -EINVAL, "must be a single value");
    if (!json_is_string(raw))
        return check_value(field, json_incref(raw), checked, err);
    const char *text = json_string_value(raw);
    int code = substitute(text, find_value, lookup, &value, err);
    if (!code && json_is_null(value) && field->required)
        code =
            err_set(err, -EINVAL, "needs --set %.*s=...: %s", (int)strlen(text) - 3, text + 2, field->help);
    if (code) {
        json_decref(value);
        return code;
    }
    return check_value(field, value, checked, err);
}

static const struct spec_field *find_field(const struct spec_kind *kind, const char *name)
{
    for (size_t i = 0; i < kind->count; i++) {
        if (strcmp(kind->fields[i].name, name) == 0)
            return &kind->fields[i];
    }
    return NULL;
}

static int refuse_key(const struct stage *stage, const char *name, struct err *err)
{
    const struct spec_kind *tables[] = {stage->kind, spec_job_options()};
    json_t *names = json_pack("{sb sb}", "kind", 1, "after", 1);
    char meant[96];
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < tables[i]->count; j++)
            json_object_set_new(names, tables[i]->fields[j].name, json_true());
    }
    hint(meant, name, names, NULL, 0);
    json_decref(names);
    return err_set(err, -EINVAL, "%s has no such field%s", stage->kind->name, meant);
}

static int read_after(struct pipeline *pipeline, struct stage *stage, json_t *raw, struct err *err)
{
    size_t count = json_is_array(raw) ? json_array_size(raw) : 1;
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_is_array(raw) ? json_array_get(raw, i) : raw);
        struct stage *other = name ? find_stage(pipeline, name) : NULL;
        char meant[96] = "";
        if (name)
            hint(meant, name, NULL, pipeline->stages, pipeline->count);
        if (!other)
            return err_set(err, -EINVAL, "%.60s is no stage%s", name ? name : "a value here", meant);
        stage->needs[other - pipeline->stages] = true;
    }
    return 0;
}

static int read_key(struct pipeline *pipeline, struct stage *stage, const char *name, json_t *raw,
                    struct err *err)
{
    struct lookup lookup = {pipeline, stage};
    const struct spec_field *field = find_field(stage->kind, name),
                            *option = find_field(spec_job_options(), name);
    json_t *checked = NULL;
    int code;
    if (strcmp(name, "kind") == 0 || strcmp(name, "out") == 0)
        return 0;
    if (strcmp(name, "after") == 0)
        code = read_after(pipeline, stage, raw, err);
    else if (!field && !option)
        code = refuse_key(stage, name, err);
    else
        code = read_value(&lookup, field ? field : option, raw, &checked, err);
    if (code)
        return err_prefix(err, "%s:%s:%s", pipeline->path, stage->name, name);
    if (checked)
        json_object_set_new(field ? stage->fields : stage->options, name, checked);
    return 0;
}

static int check_required(const struct pipeline *pipeline, const struct stage *stage, struct err *err)
{
    for (size_t i = 0; i < stage->kind->count; i++) {
        const struct spec_field *field = &stage->kind->fields[i];
        if (field->required && !json_object_get(stage->fields, field->name))
            return err_set(err, -EINVAL, "%s:%s:%s: %s needs it: %s", pipeline->path, stage->name,
                           field->name, stage->kind->name, field->help);
    }
    return 0;
}

static int read_out(struct pipeline *pipeline, struct stage *stage, const char *directory, struct err *err)
{
    struct lookup lookup = {pipeline, NULL};
    const struct spec_field *field = find_field(stage->kind, "out");
    json_t *raw = json_object_get(stage->body, "out"), *out = NULL;
    int code = raw ? read_value(&lookup, field, raw, &out, err) : 0;
    if (code)
        return err_prefix(err, "%s:%s:out", pipeline->path, stage->name);
    CLEANUP(free_ptr) char *path = path_join(directory, stage->name);
    json_decref(stage->out);
    stage->out = out ? out : json_string(path);
    return stage->out ? 0 : err_set(err, -EINVAL, "%s is not UTF-8", directory);
}

static int read_stage(struct pipeline *pipeline, struct stage *stage, struct err *err)
{
    const char *name;
    json_t *raw;
    int code = 0;
    json_decref(stage->fields);
    json_decref(stage->options);
    stage->fields = json_pack("{sO}", "out", stage->out);
    stage->options = json_pack("{ss}", "name", stage->name);
    json_object_foreach(stage->body, name, raw)
    {
        if (!code)
            code = read_key(pipeline, stage, name, raw, err);
    }
    return code ? code : check_required(pipeline, stage, err);
}

/* Depth first, in the file's order: a stage is placed after all it needs. */
static int place_stage(struct pipeline *pipeline, struct stage *stage, struct err *err)
{
    if (stage->mark == PLACED)
        return 0;
    if (stage->mark == OPEN)
        return err_set(err, -EINVAL, "%s:%s: the stage needs itself, by way of the stages that it needs",
                       pipeline->path, stage->name);
    stage->mark = OPEN;
    for (size_t i = 0; i < pipeline->count; i++) {
        int code = stage->needs[i] ? place_stage(pipeline, &pipeline->stages[i], err) : 0;
        if (code)
            return code;
    }
    stage->mark = PLACED;
    stage->position = pipeline->placed++;
    return 0;
}

static json_t *stage_job(const struct pipeline *pipeline, const struct stage *stage, const char *key)
{
    json_t *after = json_array();
    for (size_t i = 0; i < pipeline->count; i++) {
        CLEANUP(free_ptr) char *position = str_format("#%zu", pipeline->stages[i].position);
        if (stage->needs[i])
            json_array_append_new(after, json_string(position));
    }
    CLEANUP(free_ptr) char *stage_key = key ? str_format("%s/%s", key, stage->name) : NULL;
    return json_pack("{ss sO sO ss? so ss}", "kind", stage->kind->name, "fields", stage->fields, "options",
                     stage->options, "key", stage_key, "after", after, "group", pipeline->name);
}

static json_t *plan_of(const struct pipeline *pipeline, const char *key)
{
    json_t *stages = json_array(), *jobs = json_array();
    for (size_t position = 0; position < pipeline->count; position++) {
        for (size_t i = 0; i < pipeline->count; i++) {
            if (pipeline->stages[i].position != position)
                continue;
            json_array_append_new(stages, json_string(pipeline->stages[i].name));
            json_array_append_new(jobs, stage_job(pipeline, &pipeline->stages[i], key));
        }
    }
    return json_pack("{so so}", "stages", stages, "jobs", jobs);
}

int pipeline_plan(struct pipeline *pipeline, const char *directory, const char *key, json_t **plan,
                  struct err *err)
{
    int code = 0;
    pipeline->placed = 0;
    for (size_t i = 0; !code && i < pipeline->count; i++) {
        pipeline->stages[i].mark = UNSEEN;
        code = read_out(pipeline, &pipeline->stages[i], directory, err);
    }
    for (size_t i = 0; !code && i < pipeline->count; i++)
        code = read_stage(pipeline, &pipeline->stages[i], err);
    for (size_t i = 0; !code && i < pipeline->count; i++)
        code = place_stage(pipeline, &pipeline->stages[i], err);
    if (!code)
        *plan = plan_of(pipeline, key);
    return code;
}
