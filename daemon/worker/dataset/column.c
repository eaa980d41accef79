/* Columns of index.h5, whose rows lie in the order train, valid, test, and in each part by shard and row. */
#include "common/path.h"
#include "daemon/worker/dataset/dataset_private.h"
#include "daemon/worker/dataset/h5.h"

#include <errno.h>
#include <string.h>

/* Rows of the parts before this one, and of all. */
static size_t rows_before(const struct dataset *dataset, enum dataset_part part)
{
    size_t rows = 0;
    for (int i = 0; i < (int)part; i++)
        rows += dataset->parts[i].count;
    return rows;
}

static int no_index(const struct dataset *dataset, const char *name, struct err *err)
{
    return err_set(err, -ENOENT,
                   "%s has no index.h5, for the original's scripts made it: there is no column %s (split the "
                   "original's img_ivar files with decoy to have one)",
                   dataset->directory, name);
}

static int read_column(const struct dataset *dataset, enum dataset_part part, const char *name,
                       enum h5_type type, size_t width, void *values, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(dataset->directory, "index.h5");
    CLEANUP(h5_close_ptr) struct h5 *file = NULL;
    struct h5_shape shape;
    int code = h5_open(&file, path, err);
    if (!code)
        code = h5_shape(file, name, &shape, err);
    if (code)
        return code;
    if (shape.rank != 1 || shape.count != rows_before(dataset, DATASET_PART_MAX))
        return err_set(err, -EINVAL, "%s, column %s has not one value for each of the %zu examples", path,
                       name, rows_before(dataset, DATASET_PART_MAX));
    return h5_read_rows(file, name, type, width, rows_before(dataset, part), dataset->parts[part].count,
                        values, err);
}

int dataset_column(const struct dataset *dataset, enum dataset_part part, const char *name, double *values,
                   struct err *err)
{
    if (dataset->foreign)
        return no_index(dataset, name, err);
    return read_column(dataset, part, name, H5_TYPE_REAL64, 0, values, err);
}

static int read_bricks(const struct dataset_part_data *part, size_t width, char *values)
{
    for (size_t s = 0; s < part->shard_count; s++) {
        const size_t length = strnlen(part->bricks[s], width);
        for (size_t i = part->shards[s].first; i < part->shards[s].first + part->shards[s].count; i++)
            memcpy(memset(values + i * width, 0, width), part->bricks[s], length);
    }
    return 0;
}

int dataset_text_column(const struct dataset *dataset, enum dataset_part part, const char *name, size_t width,
                        char *values, struct err *err)
{
    if (dataset->foreign && strcmp(name, "brickname") != 0)
        return no_index(dataset, name, err);
    if (dataset->foreign)
        return read_bricks(&dataset->parts[part], width, values);
    return read_column(dataset, part, name, H5_TYPE_TEXT, width, values, err);
}
