/* See rows.h. */
#include "daemon/worker/split/rows.h"
#include "common/str.h"

#include <errno.h>
#include <math.h>
#include <string.h>

size_t rows_item_size(enum cutout_type type, size_t width)
{
    return type == CUTOUT_TEXT ? width : type == CUTOUT_REAL32 ? sizeof(float) : sizeof(double);
}

static int merge_types(struct row_column *known, const struct cutout_column *column)
{
    if ((known->type == CUTOUT_TEXT) != (column->type == CUTOUT_TEXT))
        return -EINVAL;
    if (known->type != CUTOUT_TEXT && known->type != column->type)
        known->type = CUTOUT_REAL64;
    if (column->width > known->width)
        known->width = column->width;
    return 0;
}

static struct row_column *find_column(const struct row_layout *layout, const char *name)
{
    for (size_t c = 0; c < layout->count; c++) {
        if (strcmp(layout->columns[c].name, name) == 0)
            return &layout->columns[c];
    }
    return NULL;
}

static int append(struct row_layout *layout, const char *name, enum cutout_type type, size_t width,
                  const char *unit)
{
    void *larger = realloc(layout->columns, (layout->count + 1) * sizeof *layout->columns);
    if (!larger)
        return -ENOMEM;
    layout->columns = larger;
    layout->columns[layout->count++] =
        (struct row_column){str_format("%s", name), unit ? str_format("%s", unit) : NULL, type, width, 0};
    return 0;
}

int rows_add(struct row_layout *layout, const struct cutout_column *column, const char *path, struct err *err)
{
    static const char *const RESERVED[] = {"split", "shard", "row", "label"};
    for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; i++) {
        if (strcmp(column->name, RESERVED[i]) == 0)
            return err_set(err, -EINVAL, "%s has a column %s, a name that index.h5 needs for itself", path,
                           column->name);
    }
    struct row_column *known = find_column(layout, column->name);
    if (known && merge_types(known, column) != 0)
        return err_set(err, -EINVAL,
                       "%s: column %s is a text here and a number in other files, or the other way round",
                       path, column->name);
    if (!known && append(layout, column->name, column->type, column->width, column->unit) != 0)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    return 0;
}

void rows_settle(struct row_layout *layout)
{
    layout->bytes = 0;
    for (size_t c = 0; c < layout->count; c++) {
        layout->columns[c].offset = layout->bytes;
        layout->bytes += rows_item_size(layout->columns[c].type, layout->columns[c].width);
    }
}

void rows_free(struct row_layout *layout)
{
    for (size_t c = 0; c < layout->count; c++) {
        free(layout->columns[c].name);
        free(layout->columns[c].unit);
    }
    free(layout->columns);
    *layout = (struct row_layout){0};
}

static double real_of(const struct cutout_column *column, size_t row)
{
    if (column->type == CUTOUT_INT64)
        return (double)((const int64_t *)column->values)[row];
    return column->type == CUTOUT_REAL32 ? ((const float *)column->values)[row]
                                         : ((const double *)column->values)[row];
}

static void pack(const struct row_column *wanted, const struct cutout_column *column, size_t row, char *item)
{
    const size_t size = rows_item_size(wanted->type, wanted->width);
    if (wanted->type == CUTOUT_REAL64) {
        double value = column ? real_of(column, row) : NAN;
        memcpy(item, &value, sizeof value);
    } else if (column) { /* of the same type; a text perhaps narrower */
        const size_t from = rows_item_size(column->type, column->width);
        memset(item, 0, size);
        memcpy(item, (const char *)column->values + row * from, from < size ? from : size);
    } else {
        memset(item, 0, size);
        if (wanted->type == CUTOUT_REAL32)
            memcpy(item, &(float){NAN}, sizeof(float));
    }
}

void rows_pack(const struct row_layout *layout, const struct cutout_column *const *from, size_t row,
               char *packed)
{
    for (size_t c = 0; c < layout->count; c++)
        pack(&layout->columns[c], from[c], row, packed + layout->columns[c].offset);
}

json_t *rows_to_json(const struct row_layout *layout)
{
    json_t *list = json_array();
    for (size_t c = 0; c < layout->count; c++) {
        const struct row_column *column = &layout->columns[c];
        json_array_append_new(list, json_pack("[siIs?]", column->name, (int)column->type,
                                              (json_int_t)column->width, column->unit));
    }
    return list;
}

int rows_from_json(struct row_layout *layout, const json_t *list, struct err *err)
{
    size_t i;
    json_t *entry;
    *layout = (struct row_layout){0};
    json_array_foreach((json_t *)list, i, entry)
    {
        if (append(layout, json_string_value(json_array_get(entry, 0)),
                   (enum cutout_type)json_integer_value(json_array_get(entry, 1)),
                   (size_t)json_integer_value(json_array_get(entry, 2)),
                   json_string_value(json_array_get(entry, 3))) != 0)
            return err_set(err, -ENOMEM, "out of memory for the columns of the index");
    }
    rows_settle(layout);
    return 0;
}
