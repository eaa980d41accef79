/* See pipeline.h: the file and its params. plan.c makes the jobs. */
#include "client/pipeline_parts.h"
#include "client/substitute.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "proto/json.h"

#include <errno.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 20, STAGES_MAX = 1000, STAGE_NAME_MAX = 27 };

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

void pipeline_hint(char text[96], const char *word, const json_t *keys, const struct stage *stages,
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
        pipeline_hint(meant, name, known, NULL, 0);
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

static int read_document(const char *path, json_t **document, struct err *err)
{
    CLEANUP(free_ptr) char *text = NULL;
    size_t size;
    int code = file_read(path, FILE_LIMIT, &text, &size, err);
    if (code)
        return code;
    substitute_hide_braces(text, size);
    return yaml_parse_bytes(path, text, size, document, err);
}

int pipeline_from_json(struct pipeline **out, const char *path, const json_t *document, struct err *err)
{
    CLEANUP(pipeline_destroy_ptr) struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline)
        return err_set(err, -ENOMEM, "out of memory");
    pipeline->path = str_format("%s", path);
    pipeline->document = json_incref((json_t *)document);
    int (*const STEPS[])(struct pipeline *, struct err *) = {check_document, read_name, check_params,
                                                             open_stages};
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
        int code = STEPS[i](pipeline, err);
        if (code)
            return code;
    }
    *out = TAKE(pipeline);
    return 0;
}

int pipeline_read(struct pipeline **out, const char *path, struct err *err)
{
    json_t *document = NULL;
    int code = read_document(path, &document, err);
    if (!code)
        code = pipeline_from_json(out, path, document, err);
    json_decref(document);
    return code;
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
        pipeline_hint(meant, name, pipeline->params, NULL, 0);
        return err_set(err, -EINVAL, "--set %.60s: %s has no such param%s", name, pipeline->path, meant);
    }
    bool none = !*text || strcmp(text, "null") == 0 || strcmp(text, "~") == 0;
    json_t *value = none ? json_null() : json_string(text);
    if (!value)
        return err_set(err, -EINVAL, "--set %.60s: the value is not UTF-8", name);
    json_object_set_new(pipeline->params, name, value);
    return 0;
}
