/* Numeric columns of a cutout file by name, whatever their type in the file. */
#include "daemon/worker/dataset/cutout_file.h"

#include <errno.h>
#include <math.h>

static int find_column(struct cutout_file *file, const char *name, const struct cutout_column **column,
                       struct err *err)
{
    int code = cutout_file_read_column(file, name, column, err);
    return !code && (*column)->type == CUTOUT_TEXT ? -ENOENT : code;
}

static double number_at(const struct cutout_column *column, size_t row)
{
    switch (column->type) {
    case CUTOUT_REAL32:
        return ((const float *)column->values)[row];
    case CUTOUT_REAL64:
        return ((const double *)column->values)[row];
    default:
        return (double)((const int64_t *)column->values)[row];
    }
}

int cutout_file_reals(struct cutout_file *file, const char *name, double *values, struct err *err)
{
    const struct cutout_column *column = NULL;
    int code = find_column(file, name, &column, err);
    for (size_t i = 0; i < cutout_file_count(file) && !code; i++)
        values[i] = number_at(column, i);
    return code;
}

int cutout_file_ints(struct cutout_file *file, const char *name, int64_t *values, struct err *err)
{
    const struct cutout_column *column = NULL;
    int code = find_column(file, name, &column, err);
    for (size_t i = 0; i < cutout_file_count(file) && !code; i++)
        values[i] = column->type == CUTOUT_INT64 ? ((const int64_t *)column->values)[i]
                                                 : llrint(number_at(column, i));
    return code;
}
