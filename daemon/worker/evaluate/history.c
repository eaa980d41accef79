/* See history.h. */
#include "daemon/worker/evaluate/history.h"
#include "common/file.h"
#include "common/path.h"
#include "proto/json.h"

#include <errno.h>
#include <string.h>

enum { BYTES_MAX = 1 << 30, POINTS_MAX = 150 };

void history_free(struct history *history)
{
    if (!history)
        return;
    free(history->train.values);
    free(history->valid.values);
    free(history);
}

/* Room grows by doubling: at each power of two. */
static int series_append(struct history_series *series, double step, double value)
{
    if ((series->rows & (series->rows - 1)) == 0) {
        size_t room = series->rows ? 2 * series->rows : 1;
        double *values = realloc(series->values, 2 * room * sizeof *values);
        if (!values)
            return -ENOMEM;
        series->values = values;
    }
    series->values[2 * series->rows] = step;
    series->values[2 * series->rows++ + 1] = value;
    return 0;
}

static int append_row(struct history *history, const json_t *row, bool accuracy)
{
    const json_t *step = json_object_get(row, "step");
    const json_t *train = json_object_get(row, accuracy ? "accuracy" : "loss");
    const json_t *valid = json_object_get(row, accuracy ? "valid_accuracy" : "valid_loss");
    int code = 0;
    if (json_is_number(step) && json_is_number(train))
        code = series_append(&history->train, json_number_value(step), json_number_value(train));
    if (!code && json_is_number(step) && json_is_number(valid))
        code = series_append(&history->valid, json_number_value(step), json_number_value(valid));
    return code;
}

static void thin(struct history_series *series)
{
    size_t run = (series->rows + POINTS_MAX - 1) / POINTS_MAX, points = 0;
    for (size_t i = 0; i < series->rows; i += run, points++) {
        size_t count = series->rows - i < run ? series->rows - i : run;
        double step = 0, value = 0;
        for (size_t j = i; j < i + count; j++) {
            step += series->values[2 * j] / (double)count;
            value += series->values[2 * j + 1] / (double)count;
        }
        series->values[2 * points] = step;
        series->values[2 * points + 1] = value;
    }
    series->rows = points;
}

static int read_lines(struct history *history, const char *path, char *text, bool accuracy, struct err *err)
{
    size_t number = 1;
    for (char *line = text, *next; line; line = next, number++) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        json_t *row = NULL;
        if (*line == '\0')
            continue;
        int code = json_parse_bytes(line, strlen(line), &row, err);
        if (code)
            return err_prefix(err, "%s:%zu", path, number);
        code = append_row(history, row, accuracy);
        json_decref(row);
        if (code)
            return err_set(err, code, "out of memory for %s", path);
    }
    return 0;
}

int history_read(struct history **out, const char *directory, bool accuracy, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "metrics.jsonl");
    CLEANUP(free_ptr) char *text = NULL;
    CLEANUP(history_free_ptr) struct history *history = calloc(1, sizeof *history);
    size_t size = 0;
    if (!history)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    int code = file_read(path, BYTES_MAX, &text, &size, err);
    if (!code)
        code = read_lines(history, path, text, accuracy, err);
    if (code)
        return code;
    if (history->train.rows == 0)
        return err_set(err, -ENOENT, "%s has no row with a step and %s", path,
                       accuracy ? "an accuracy" : "a loss");
    history->logged = history->train.rows;
    if (history->train.rows > POINTS_MAX)
        thin(&history->train);
    *out = TAKE(history);
    return 0;
}
