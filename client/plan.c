/* pipeline_plan: each stage's values with their references replaced and checked by the kind's table, then the
 * stages put in an order in which each comes after those it needs. Opens no file. */
#include "client/pipeline_parts.h"
#include "client/substitute.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>
#include <string.h>

/* What ${name} is looked up for. */
struct lookup {
    struct pipeline *pipeline;
    struct stage *stage; /* whose needs are noted; NULL: stages are not allowed here */
};

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
    json_t *param = json_object_get(pipeline->params, name);
    struct stage *stage = find_stage(pipeline, name);
    if (param && (!stage || stage == lookup->stage || !lookup->stage))
        return param;
    if (stage && lookup->stage) {
        lookup->stage->needs[stage - pipeline->stages] = NEED_SUCCESS;
        return stage->out;
    }
    char meant[96];
    pipeline_hint(meant, name, pipeline->params, pipeline->stages, lookup->stage ? pipeline->count : 0);
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

int pipeline_check_value(const struct spec_field *field, json_t *value, json_t **checked, struct err *err)
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
        return pipeline_check_value(field, json_incref(raw), checked, err);
    const char *text = json_string_value(raw);
    int code = substitute(text, find_value, lookup, &value, err);
    if (!code && json_is_null(value) && field->required)
        code =
            err_set(err, -EINVAL, "needs --set %.*s=...: %s", (int)strlen(text) - 3, text + 2, field->help);
    if (code) {
        json_decref(value);
        return code;
    }
    return pipeline_check_value(field, value, checked, err);
}

const struct spec_field *pipeline_field(const struct spec_kind *kind, const char *name)
{
    for (size_t i = 0; i < kind->count; i++) {
        if (strcmp(kind->fields[i].name, name) == 0)
            return &kind->fields[i];
    }
    return NULL;
}

int pipeline_refuse_field(const struct spec_kind *kind, const char *name, json_t *known, struct err *err)
{
    const struct spec_kind *tables[] = {kind, spec_job_options()};
    char meant[96];
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < tables[i]->count; j++)
            json_object_set_new(known, tables[i]->fields[j].name, json_true());
    }
    pipeline_hint(meant, name, known, NULL, 0);
    json_decref(known);
    return err_set(err, -EINVAL, "%s has no field %.60s%s", kind->name, name, meant);
}

static int read_after(struct pipeline *pipeline, struct stage *stage, enum need need, json_t *raw,
                      struct err *err)
{
    size_t count = json_is_array(raw) ? json_array_size(raw) : 1;
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_is_array(raw) ? json_array_get(raw, i) : raw);
        struct stage *other = name ? find_stage(pipeline, name) : NULL;
        char meant[96] = "";
        if (name)
            pipeline_hint(meant, name, NULL, pipeline->stages, pipeline->count);
        if (!other)
            return err_set(err, -EINVAL, "%.60s is no stage%s", name ? name : "a value here", meant);
        enum need *now = &stage->needs[other - pipeline->stages];
        *now = need > *now ? need : *now;
    }
    return 0;
}

static int read_key(struct pipeline *pipeline, struct stage *stage, const char *name, json_t *raw,
                    struct err *err)
{
    struct lookup lookup = {pipeline, stage};
    const struct spec_field *field = pipeline_field(stage->kind, name),
                            *option = pipeline_field(spec_job_options(), name);
    json_t *checked = NULL;
    int code;
    if (strcmp(name, "kind") == 0 || strcmp(name, "out") == 0)
        return 0;
    if (strcmp(name, "after") == 0 || strcmp(name, "after_any") == 0)
        code = read_after(pipeline, stage, name[5] ? NEED_END : NEED_SUCCESS, raw, err);
    else if (!field && !option)
        code = pipeline_refuse_field(
            stage->kind, name, json_pack("{sb sb sb}", "kind", 1, "after", 1, "after_any", 1), err);
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
    const struct spec_field *field = pipeline_field(stage->kind, "out");
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
    json_t *after = json_array(), *after_any = json_array();
    for (size_t i = 0; i < pipeline->count; i++) {
        CLEANUP(free_ptr) char *position = str_format("#%zu", pipeline->stages[i].position);
        if (stage->needs[i])
            json_array_append_new(stage->needs[i] == NEED_SUCCESS ? after : after_any, json_string(position));
    }
    CLEANUP(free_ptr) char *stage_key = key ? str_format("%s/%s", key, stage->name) : NULL;
    json_t *job =
        json_pack("{ss sO sO ss? so ss}", "kind", stage->kind->name, "fields", stage->fields, "options",
                  stage->options, "key", stage_key, "after", after, "group", pipeline->name);
    if (json_array_size(after_any))
        json_object_set(job, "after_any", after_any);
    json_decref(after_any);
    return job;
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
