/* See sweep.h: from trials to a pipeline's document. */
#define XXH_INLINE_ALL
#include "client/foreground.h"
#include "client/pipeline_parts.h"
#include "client/sweep.h"
#include "common/file.h"
#include "common/path.h"
#include "common/preset.h"
#include "common/str.h"
#include "proto/json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

enum { LABEL_MAX = 200 };

struct plan {
    const struct sweep *sweep;
    const char *directory;
    json_int_t stamp, channels; /* of the dataset */
    json_t *parameters;         /* {hash of a model that was checked: how many} */
    json_t *stages, *trials;
};

/* A trial under way. */
struct trial {
    const json_t *values;
    json_t *fields;       /* of its train job */
    json_t *file, *model; /* the model file's content, and the same with what varies */
    char *path;           /* of the file that train is given */
    char hash[17], name[SWEEP_NAME_MAX + 1];
    json_t *parameters;
};

static void trial_close(struct trial *trial)
{
    json_decref(trial->fields);
    json_decref(trial->file);
    json_decref(trial->model);
    json_decref(trial->parameters);
    free(trial->path);
}

static void hash_of(const json_t *value, char text[17])
{
    CLEANUP(free_ptr)
    char *bytes = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    snprintf(text, 17, "%016" PRIx64, (uint64_t)XXH3_64bits(bytes, strlen(bytes)));
}

static json_int_t count_of(const json_t *value)
{
    return json_is_array(value) ? (json_int_t)json_array_size(value) : json_integer_value(value);
}

static bool has_validation(const json_t *manifest)
{
    json_t *shard;
    size_t i;
    json_array_foreach(json_object_get(manifest, "shards"), i, shard)
    {
        const char *part = json_string_value(json_object_get(shard, "part"));
        if (part && strcmp(part, "valid") == 0 && json_integer_value(json_object_get(shard, "examples")) > 0)
            return true;
    }
    return false;
}

/* The dataset must be there: what its stamps look like decides whether a model fits. */
static int read_dataset(struct plan *plan, struct err *err)
{
    const char *dataset = json_string_value(json_object_get(plan->sweep->fields, "dataset"));
    CLEANUP(free_ptr) char *path = path_join(dataset, "manifest.json");
    json_t *manifest = NULL;
    int code = path_exists(path)
                   ? json_read_file(path, &manifest, err)
                   : err_set(err, -ENOENT, "%s is not a finished dataset: it has no manifest.json", dataset);
    plan->stamp = count_of(json_object_get(manifest, "stamp"));
    plan->channels = count_of(json_object_get(manifest, "channels"));
    if (!code && !has_validation(manifest))
        code = err_set(err, -EINVAL, "%s has no validation part, by which a sweep is judged", dataset);
    json_decref(manifest);
    return code ? sweep_blame(plan->sweep, "train/dataset", err) : 0;
}

static json_t *fields_of(const struct plan *plan, const json_t *values)
{
    json_t *fields = json_copy(plan->sweep->fields);
    for (size_t v = 0; v < plan->sweep->vary_count; v++) {
        const struct sweep_vary *vary = &plan->sweep->vary[v];
        if (vary->field)
            json_object_set(fields, vary->name, json_object_get(values, vary->name));
    }
    return fields;
}

/* Where in the file a trial's value of this name stands. */
static char *place_of(const struct sweep_vary *vary, const json_t *values)
{
    size_t i;
    json_t *value, *mine = json_object_get(values, vary->name);
    json_array_foreach(vary->values, i, value)
    {
        if (json_equal(value, mine))
            return str_format("vary/%s/%zu", vary->name, i);
    }
    return str_format("vary/%s", vary->name);
}

/* Blames `model`, wherever it is said. */
static int blame_model(const struct plan *plan, const json_t *values, struct err *err)
{
    for (size_t v = 0; v < plan->sweep->vary_count; v++) {
        CLEANUP(free_ptr) char *place = place_of(&plan->sweep->vary[v], values);
        if (strcmp(plan->sweep->vary[v].name, "model") == 0)
            return sweep_blame(plan->sweep, place, err);
    }
    return sweep_blame(plan->sweep, "train/model", err);
}

static int read_model(const struct plan *plan, struct trial *trial, struct err *err)
{
    const char *given = json_string_value(json_object_get(trial->fields, "model"));
    const char *name = given ? given : pipeline_field(spec_kind_find("train", NULL), "model")->preset;
    int code = preset_find("models", name, &trial->path, err);
    if (!code)
        code = yaml_read_file(trial->path, &trial->file, err);
    if (code)
        return blame_model(plan, trial->values, err);
    return sweep_model(plan->sweep, trial->file, trial->values, &trial->model, err);
}

/* A model as a file, a layer a line; JSON is YAML. */
static int publish_model(const struct plan *plan, const json_t *model, const char *hash, char **path,
                         struct err *err)
{
    CLEANUP(free_ptr) char *folder = path_join(plan->directory, "models");
    char *text = json_dumps(model, JSON_INDENT(2));
    *path = str_format("%s/%.*s.yaml", folder, SWEEP_NAME_MAX, hash);
    int code = text ? path_make_directories(folder, 0777, err) : err_set(err, -ENOMEM, "out of memory");
    if (!code)
        code = file_publish(*path, text, strlen(text), err);
    free(text);
    return code;
}

/* Has the worker read a model for the dataset's stamps. */
static int ask_worker(const struct plan *plan, const char *path, json_t **parameters, struct err *err)
{
    json_t *result = NULL,
           *fields = json_pack("{ss sI sI}", "file", path, "stamp", plan->stamp, "channels", plan->channels);
    int exit_code = foreground_run("model", fields, false, &result, err);
    json_decref(fields);
    if (exit_code == 0)
        *parameters = json_incref(json_object_get(result, "parameters"));
    json_decref(result);
    return exit_code ? (err->code ? err->code : -EINVAL) : 0;
}

/* Which of a trial's layer keys spoils the model by itself; the sentence is then of it alone. */
static int blame_layers(const struct plan *plan, const struct trial *trial, struct err *err)
{
    const struct sweep *sweep = plan->sweep;
    for (size_t v = 0; v < sweep->vary_count; v++) {
        CLEANUP(free_ptr) char *path = NULL;
        CLEANUP(free_ptr) char *place = place_of(&sweep->vary[v], trial->values);
        json_t *value = json_object_get(trial->values, sweep->vary[v].name), *model = NULL, *count = NULL;
        json_t *alone = json_pack("{sO}", sweep->vary[v].name, value);
        struct err why = {0};
        int code = sweep->vary[v].field ? 0 : sweep_model(sweep, trial->file, alone, &model, &why);
        if (!code && model)
            code = publish_model(plan, model, "alone", &path, &why);
        if (!code && model)
            code = ask_worker(plan, path, &count, &why);
        if (path)
            unlink(path);
        json_decref(alone);
        json_decref(model);
        json_decref(count);
        if (!code)
            continue;
        CLEANUP(free_ptr) char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        err_set(err, code, "%s = %s: %.700s", sweep->vary[v].name, text, why.text);
        return sweep_blame(sweep, place, err);
    }
    return sweep_blame(sweep, "vary", err);
}

/* Every model once: is it one, and how large? */
static int check_model(struct plan *plan, struct trial *trial, struct err *err)
{
    char hash[17];
    bool changed = !json_equal(trial->model, trial->file);
    hash_of(trial->model, hash);
    if (changed) {
        free(TAKE(trial->path));
        if (publish_model(plan, trial->model, hash, &trial->path, err) != 0)
            return err->code;
        json_object_set_new(trial->fields, "model", json_string(trial->path));
    }
    json_t *known = json_object_get(plan->parameters, hash);
    if (known) {
        trial->parameters = json_incref(known);
        return 0;
    }
    if (ask_worker(plan, trial->path, &trial->parameters, err) == 0) {
        json_object_set(plan->parameters, hash, trial->parameters);
        return 0;
    }
    if (changed)
        unlink(trial->path);
    return changed ? blame_layers(plan, trial, err) : blame_model(plan, trial->values, err);
}

/* "rate=0.001 conv1.kernel=3" */
static char *label_of(const json_t *values)
{
    char *label = NULL;
    size_t size;
    const char *name;
    json_t *value;
    FILE *stream = open_memstream(&label, &size);
    if (!stream)
        abort();
    json_object_foreach((json_t *)values, name, value)
    {
        CLEANUP(free_ptr) char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        bool quoted = json_is_string(value);
        fprintf(stream, "%s%s=%.*s", ftell(stream) > 0 ? " " : "", name, (int)strlen(text) - 2 * quoted,
                text + quoted);
    }
    fclose(stream);
    if (strlen(label) > LABEL_MAX)
        str_clean(label, LABEL_MAX, label, strlen(label));
    return label;
}

/* Texts of a pipeline stand for themselves but for dollars. */
static void escape_dollars(json_t *body)
{
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(body, next, name, value)
    {
        const char *text = json_string_value(value);
        if (!text || !strchr(text, '$'))
            continue;
        char *escaped = NULL;
        size_t size;
        FILE *stream = open_memstream(&escaped, &size);
        if (!stream)
            abort();
        for (; *text; text++)
            fprintf(stream, *text == '$' ? "$$" : "%c", *text);
        fclose(stream);
        json_object_set_new(body, name, json_string(escaped));
        free(escaped);
    }
}

static json_t *stage_of(const struct plan *plan, const char *kind, const json_t *fields, const json_t *values)
{
    CLEANUP(free_ptr) char *label = label_of(values);
    json_t *stage = json_pack("{ss}", "kind", kind);
    json_object_update(stage, plan->sweep->options);
    json_object_set_new(stage, "name", json_string(label));
    json_object_update(stage, (json_t *)fields);
    escape_dollars(stage);
    return stage;
}

static void add_stages(struct plan *plan, const struct trial *trial)
{
    CLEANUP(free_ptr) char *train = str_format("%s-train", trial->name);
    CLEANUP(free_ptr) char *valid = str_format("%s-valid", trial->name);
    CLEANUP(free_ptr) char *model = str_format("$(%s)", train);
    json_t *fields = json_pack("{sO ss sb}", "dataset", json_object_get(trial->fields, "dataset"), "part",
                               "valid", "pictures", 0);
    json_t *evaluate = stage_of(plan, "evaluate", fields, trial->values);
    json_object_set_new(evaluate, "model", json_string(model)); /* a reference, not a text to escape */
    json_object_set_new(plan->stages, train, stage_of(plan, "train", trial->fields, trial->values));
    json_object_set_new(plan->stages, valid, evaluate);
    json_decref(fields);
}

/* What the trial is called says what it is: its fields and its model, wherever the file of that lies. */
static void name_trial(struct trial *trial)
{
    json_t *all = json_copy(trial->fields);
    json_object_set(all, "model", trial->model);
    hash_of(all, trial->hash);
    snprintf(trial->name, sizeof trial->name, "%.*s", SWEEP_NAME_MAX, trial->hash);
    json_decref(all);
}

static json_t *describe(const struct trial *trial)
{
    const struct spec_field *field = pipeline_field(spec_kind_find("train", NULL), "epochs");
    const json_t *given = json_object_get(trial->fields, "epochs");
    json_t *epochs = NULL;
    if (json_is_integer(given))
        epochs = json_incref((json_t *)given);
    else
        spec_parse(field, field->preset, &epochs, NULL);
    return json_pack("{ss sO sO so sO}", "trial", trial->name, "values", (json_t *)trial->values,
                     "parameters", trial->parameters, "epochs", epochs, "fields", trial->fields);
}

static int add_trial(struct plan *plan, const json_t *values, struct err *err)
{
    struct trial trial = {.values = values, .fields = fields_of(plan, values)};
    int code = read_model(plan, &trial, err);
    if (!code)
        name_trial(&trial);
    if (!code)
        code = check_model(plan, &trial, err);
    CLEANUP(free_ptr) char *stage = str_format("%s-train", trial.name);
    if (!code && json_object_get(plan->stages, stage)) {
        CLEANUP(free_ptr) char *label = label_of(values);
        err_set(err, -EINVAL, "two trials are the same: %s", label);
        code = sweep_blame(plan->sweep, "vary", err);
    }
    if (!code) {
        add_stages(plan, &trial);
        json_array_append_new(plan->trials, describe(&trial));
    }
    trial_close(&trial);
    return code;
}

static int add_trials(struct plan *plan, struct err *err)
{
    json_t *points = NULL, *values;
    size_t i;
    int code = sweep_trials(plan->sweep, &points, err);
    json_array_foreach(points, i, values)
    {
        if (!code)
            code = add_trial(plan, values, err);
    }
    json_decref(points);
    return code;
}

int sweep_plan(const struct sweep *sweep, const char *directory, json_t **document, json_t **trials,
               struct err *err)
{
    struct plan plan = {.sweep = sweep, .directory = directory};
    int code = read_dataset(&plan, err);
    if (code)
        return code;
    plan.parameters = json_object();
    plan.stages = json_object();
    plan.trials = json_array();
    code = add_trials(&plan, err);
    json_decref(plan.parameters);
    if (!code) {
        *document = json_pack("{ss sO}", "name", sweep->name, "stages", plan.stages);
        *trials = json_incref(plan.trials);
    }
    json_decref(plan.stages);
    json_decref(plan.trials);
    return code;
}
