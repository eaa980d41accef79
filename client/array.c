/* See array.h. */
#include "client/array.h"
#include "client/row.h"
#include "common/cleanup.h"
#include "common/str.h"

#include <string.h>

/* Which state stands for an array with jobs in several: the first that any is in. */
static const char *const ORDER[] = {"running", "ready",     "waiting", "held",
                                    "failed",  "cancelled", "skipped", "succeeded"};

enum { STATES = sizeof ORDER / sizeof *ORDER };

static long count_of(const json_t *counts, const char *state)
{
    return (long)json_integer_value(json_object_get(counts, state));
}

const json_t *array_find(const json_t *arrays, json_int_t id)
{
    json_t *array;
    size_t i;
    json_array_foreach((json_t *)arrays, i, array)
    {
        if (json_integer_value(json_object_get(array, "array")) == id)
            return array;
    }
    return NULL;
}

const char *array_state(const json_t *array)
{
    const json_t *counts = json_object_get(array, "counts");
    int state = 0;
    while (state < STATES - 1 && count_of(counts, ORDER[state]) == 0)
        state++;
    return ORDER[state];
}

void array_fold(json_t *row, const json_t *array)
{
    json_object_set_new(row, "state", json_string(array_state(array)));
    json_object_set(row, "id", json_object_get(array, "array"));
    json_object_set(row, "last", json_object_get(array, "last"));
    json_object_set(row, "counts", json_object_get(array, "counts"));
}

char *array_row_ids(const json_t *row)
{
    long last = (long)json_integer_value(json_object_get(row, "last"));
    return last > row_id(row) ? str_format("%ld-%ld", row_id(row), last) : str_format("%ld", row_id(row));
}

char *array_row_counts(const json_t *row)
{
    const json_t *counts = json_object_get(row, "counts");
    char *text = NULL;
    size_t size;
    long total = 0;
    if (!counts)
        return strdup("");
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        abort();
    for (int i = 0; i < STATES; i++)
        total += count_of(counts, ORDER[i]);
    fprintf(stream, "%ld of %ld done", count_of(counts, "succeeded"), total);
    for (int i = 0; i < STATES - 1; i++) {
        if (count_of(counts, ORDER[i]))
            fprintf(stream, ", %ld %s", count_of(counts, ORDER[i]), ORDER[i]);
    }
    fclose(stream);
    return text;
}
