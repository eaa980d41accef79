/* See sweep.h: the table. What a trial came to stands in its jobs' own files: TRIAL-train/metrics.jsonl, as the training goes,
 * and TRIAL-valid/verdict.json, once it was evaluated. The daemon is asked for states only. */
#include "client/print.h"
#include "client/row.h"
#include "client/sweep.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "proto/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define METRICS_LIMIT ((size_t)1 << 30)

/* The last job that writes to directory/name; NULL: none is known. */
static const json_t *find_row(const json_t *rows, const char *out)
{
    const json_t *row, *found = NULL;
    size_t i;
    json_array_foreach((json_t *)rows, i, row)
    {
        if (strcmp(row_text(row, "out"), out) == 0)
            found = row;
    }
    return found;
}

/* One row of metrics.jsonl: those of an epoch have `epoch_loss`, those of steps a speed. */
struct progress {
    double steps, seconds_of_batch; /* steps with a speed, and the sum of steps / speed */
    json_int_t last_step;
};

static void take_metrics(json_t *result, struct progress *progress, const json_t *row)
{
    double speed = json_number_value(json_object_get(row, "img_per_s"));
    json_int_t step = json_integer_value(json_object_get(row, "step"));
    if (json_object_get(row, "epoch_loss"))
        json_object_set(result, "epochs_done", json_object_get(row, "epoch"));
    if (json_object_get(row, "valid_auc"))
        json_object_set(result, "auc", json_object_get(row, "valid_auc"));
    if (json_object_get(row, "valid_loss"))
        json_object_set(result, "loss", json_object_get(row, "valid_loss"));
    if (speed > 0 && step > progress->last_step) {
        progress->steps += (double)(step - progress->last_step);
        progress->seconds_of_batch += (double)(step - progress->last_step) / speed;
        progress->last_step = step;
    }
}

static void read_metrics(json_t *result, const char *train)
{
    CLEANUP(free_ptr) char *path = path_join(train, "metrics.jsonl");
    CLEANUP(free_ptr) char *text = NULL;
    size_t size = 0;
    struct progress progress = {0};
    if (!path_exists(path) || file_read(path, METRICS_LIMIT, &text, &size, NULL) != 0)
        return;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *row = json_loads(line, 0, NULL);
        if (json_is_object(row))
            take_metrics(result, &progress, row);
        json_decref(row);
    }
    if (progress.seconds_of_batch > 0)
        json_object_set_new(result, "img_per_s", json_real(progress.steps / progress.seconds_of_batch));
}

/* False while the trial was not evaluated. */
static bool read_verdict(json_t *result, const char *valid)
{
    static const char *const MEMBERS[][3] = {{"auc", "auc", "value"},
                                             {"auc_error", "auc", "standard_error"},
                                             {"loss", "log_loss", "value"},
                                             {"loss_error", "log_loss", "standard_error"}};
    CLEANUP(free_ptr) char *path = path_join(valid, "verdict.json");
    json_t *verdict = NULL;
    if (!path_exists(path) || json_read_file(path, &verdict, NULL) != 0)
        return false;
    for (size_t i = 0; i < sizeof MEMBERS / sizeof *MEMBERS; i++) {
        json_t *number = json_object_get(json_object_get(verdict, MEMBERS[i][1]), MEMBERS[i][2]);
        if (json_is_number(number))
            json_object_set(result, MEMBERS[i][0], number);
    }
    json_decref(verdict);
    return true;
}

/* That of the training until it has succeeded, then of the evaluation. Of jobs that no daemon knows the files tell. */
static char *state_of(const json_t *rows, const char *train, const char *valid, bool evaluated)
{
    CLEANUP(free_ptr) char *model = path_join(train, "model.safetensors");
    const json_t *training = find_row(rows, train), *evaluation = find_row(rows, valid);
    if (training && !row_is(training, "succeeded"))
        return str_format("%s", row_text(training, "state"));
    if (evaluation && !row_is(evaluation, "succeeded"))
        return str_format("evaluation %s", row_text(evaluation, "state"));
    return str_format("%s", evaluated                  ? "succeeded"
                            : path_exists(model)       ? "trained"
                            : path_is_directory(train) ? "unfinished"
                                                       : "unknown");
}

static json_t *result_of(const char *directory, const json_t *trial, const json_t *rows)
{
    static const char *const COPIED[] = {"trial", "values", "parameters", "epochs"};
    static const char *const FOUND[] = {"epochs_done", "auc", "auc_error", "loss", "loss_error", "img_per_s"};
    const char *name = row_text(trial, "trial");
    CLEANUP(free_ptr) char *train = str_format("%s/%s-train", directory, name);
    CLEANUP(free_ptr) char *valid = str_format("%s/%s-valid", directory, name);
    json_t *result = json_object();
    for (size_t i = 0; i < sizeof COPIED / sizeof *COPIED; i++)
        json_object_set(result, COPIED[i], json_object_get(trial, COPIED[i]));
    for (size_t i = 0; i < sizeof FOUND / sizeof *FOUND; i++)
        json_object_set_new(result, FOUND[i], json_null());
    json_object_set_new(result, "epochs_done", json_integer(0));
    read_metrics(result, train);
    bool evaluated = read_verdict(result, valid);
    CLEANUP(free_ptr) char *state = state_of(rows, train, valid, evaluated);
    json_object_set_new(result, "state", json_string(state));
    return result;
}

static double auc_of(const json_t *result)
{
    return json_number_value(json_object_get(result, "auc"));
}

/* The best first; the order of the file among equals. */
static json_t *sort_by_auc(const json_t *results)
{
    json_t *sorted = json_array(), *result;
    size_t i;
    json_array_foreach((json_t *)results, i, result)
    {
        size_t at = json_array_size(sorted);
        while (at > 0 && auc_of(json_array_get(sorted, at - 1)) < auc_of(result))
            at--;
        json_array_insert(sorted, at, result);
    }
    return sorted;
}

int sweep_results(const char *directory, const json_t *rows, json_t **results, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "sweep.json");
    json_t *file = NULL, *trial, *found = json_array();
    size_t i;
    int code =
        path_exists(path)
            ? json_read_file(path, &file, err)
            : err_set(err, -ENOENT, "%s is not the directory of a sweep: it has no sweep.json", directory);
    if (!code && !json_is_array(json_object_get(file, "trials")))
        code = err_set(err, -EINVAL, "%s is not what `decoy sweep` writes: it has no list of trials", path);
    json_array_foreach(json_object_get(file, "trials"), i, trial)
        json_array_append_new(found, result_of(directory, trial, rows));
    if (!code)
        *results = json_pack("{sO? sO? sO? so}", "name", json_object_get(file, "name"), "dataset",
                             json_object_get(file, "dataset"), "varied", json_object_get(file, "varied"),
                             "trials", sort_by_auc(found));
    json_decref(found);
    json_decref(file);
    return code;
}

/* A number with so many decimals; "" where there is none. */
static char *decimal(const json_t *result, const char *name, int decimals)
{
    const json_t *number = json_object_get(result, name);
    return json_is_number(number) ? str_format("%.*f", decimals, json_number_value(number)) : strdup("");
}

static char *value_text(const json_t *value)
{
    return json_is_string(value) ? str_format("%s", json_string_value(value))
                                 : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
}

/* Cells of a row, one after another. */
struct cells {
    const char **text;
    size_t count;
};

static void put(struct cells *cells, char *text)
{
    cells->text[cells->count++] = text ? text : strdup("");
}

static void add_row(struct table *table, const json_t *varied, const json_t *result, size_t columns)
{
    CLEANUP(free_ptr) const char **text = calloc(columns, sizeof *text);
    struct cells cells = {text, 0};
    json_t *name;
    size_t i;
    if (!text)
        abort();
    put(&cells, str_format("%s", row_text(result, "trial")));
    json_array_foreach((json_t *)varied, i, name)
        put(&cells, value_text(json_object_get(json_object_get(result, "values"), json_string_value(name))));
    put(&cells, decimal(result, "parameters", 0));
    put(&cells, str_format("%lld/%lld", (long long)json_integer_value(json_object_get(result, "epochs_done")),
                           (long long)json_integer_value(json_object_get(result, "epochs"))));
    put(&cells, decimal(result, "auc", 4));
    put(&cells, decimal(result, "auc_error", 4));
    put(&cells, decimal(result, "loss", 4));
    put(&cells, decimal(result, "loss_error", 4));
    put(&cells, decimal(result, "img_per_s", 0));
    put(&cells, str_format("%s", row_text(result, "state")));
    table_add(table, text);
    for (i = 0; i < cells.count; i++)
        free((char *)text[i]);
}

char *sweep_format(const json_t *results, int width)
{
    static const struct table_column AFTER[] = {
        {"parameters", .right = true}, {"epochs", .right = true}, {"valid AUC", .right = true},
        {"+-", .right = true},         {"loss", .right = true},   {"+-", .right = true},
        {"img/s", .right = true},      {"state", .flex = true},
    };
    const json_t *varied = json_object_get(results, "varied");
    size_t count = json_array_size(varied), columns = 1 + count + sizeof AFTER / sizeof *AFTER, i;
    CLEANUP(free_ptr) struct table_column *heads = calloc(columns, sizeof *heads);
    json_t *name, *result;
    if (!heads)
        abort();
    heads[0] = (struct table_column){.title = "trial"};
    json_array_foreach((json_t *)varied, i, name) heads[1 + i] =
        (struct table_column){.title = json_string_value(name) ? json_string_value(name) : "", .right = true};
    memcpy(heads + 1 + count, AFTER, sizeof AFTER);
    CLEANUP(table_destroy_ptr) struct table *table = table_create(heads, columns);
    json_array_foreach(json_object_get(results, "trials"), i, result) add_row(table, varied, result, columns);
    return table_format(table, width);
}
