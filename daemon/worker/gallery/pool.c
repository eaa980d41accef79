/* See gallery.h: a dataset, or cutouts (pool_cutouts.c), as one row of stamps. */
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/gallery/gallery.h"

#include <errno.h>
#include <math.h>
#include <string.h>

void pool_free(struct pool *pool)
{
    for (int c = 0; c < pool->channels && pool->names; c++)
        free(pool->names[c]);
    for (size_t i = 0; i < pool->path_count; i++)
        free(pool->paths[i]);
    free(pool->names);
    free(pool->paths);
    free(pool->mag);
    free(pool->label);
    free(pool->id);
    free(pool->file);
    free(pool->row);
    dataset_close(pool->dataset);
}

static int grow(void **items, size_t room, size_t size)
{
    void *larger = realloc(*items, room * size);
    if (larger)
        *items = larger;
    return larger ? 0 : -ENOMEM;
}

int pool_grow(struct pool *pool, size_t more, struct err *err)
{
    if (pool->count + more <= pool->room)
        return 0;
    const size_t room = pool->count + more > 2 * pool->room ? pool->count + more : 2 * pool->room;
    if (grow((void **)&pool->mag, room, sizeof *pool->mag) || grow((void **)&pool->label, room, 1) ||
        grow((void **)&pool->id, room, sizeof *pool->id) ||
        grow((void **)&pool->file, room, sizeof *pool->file) ||
        grow((void **)&pool->row, room, sizeof *pool->row))
        return err_set(err, -ENOMEM, "out of memory for %zu stamps", room);
    pool->room = room;
    return 0;
}

int pool_set_shape(struct pool *pool, int side, int channels, const char *const *names, const char *path,
                   struct err *err)
{
    bool same = !pool->names || (pool->side == side && pool->channels == channels);
    for (int c = 0; c < channels && pool->names && same; c++)
        same = strcmp(pool->names[c], names[c]) == 0;
    if (!same)
        return err_set(err, -EINVAL, "%s has stamps of another size or other channels than those before it",
                       path);
    if (pool->names)
        return 0;
    pool->names = calloc((size_t)channels + 1, sizeof *pool->names);
    if (!pool->names)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    pool->side = side;
    pool->channels = channels;
    for (int c = 0; c < channels; c++)
        pool->names[c] = str_format("%s", names[c]);
    return 0;
}

const char *pool_band(const struct pool *pool, int c)
{
    return pool->band[0] ? pool->band : c < 0 ? "g" : pool->names[c];
}

static int read_magnitudes(struct pool *pool, enum dataset_part part, size_t first, struct err *err)
{
    int code = -ENOENT;
    for (int c = -1; c < pool->channels && code == -ENOENT; c++) {
        const char *band = pool_band(pool, c);
        CLEANUP(free_ptr) char *name = str_format("mag_%s", band);
        code = dataset_column(pool->dataset, part, name, pool->mag + first, err);
        if (!code && !pool->band[0])
            snprintf(pool->band, sizeof pool->band, "%s", band);
    }
    for (size_t i = first; i < pool->count && code == -ENOENT; i++)
        pool->mag[i] = NAN;
    return code == -ENOENT ? 0 : code;
}

static int read_ids(struct pool *pool, enum dataset_part part, size_t first, struct err *err)
{
    CLEANUP(free_ptr) double *ids = calloc(pool->count - first + 1, sizeof *ids);
    if (!ids)
        return err_set(err, -ENOMEM, "out of memory for %zu ids", pool->count - first);
    int code = dataset_column(pool->dataset, part, "objid", ids, NULL);
    for (size_t i = first; i < pool->count; i++)
        pool->id[i] = code == 0 && isfinite(ids[i - first]) ? (int64_t)ids[i - first] : -1;
    return 0;
}

static int read_part(struct pool *pool, enum dataset_part part, struct err *err)
{
    const size_t first = pool->count, count = dataset_count(pool->dataset, part);
    int code = count ? pool_grow(pool, count, err) : 0;
    if (code || count == 0)
        return code;
    code = dataset_labels(pool->dataset, part, 0, count, pool->label + first, err);
    if (code)
        return code;
    for (size_t i = 0; i < count; i++) {
        pool->file[first + i] = (uint32_t)part;
        pool->row[first + i] = (uint32_t)i;
    }
    pool->count += count;
    code = read_magnitudes(pool, part, first, err);
    return code ? code : read_ids(pool, part, first, err);
}

static int read_dataset(struct pool *pool, const char *directory, struct err *err)
{
    const char *names[DATASET_CHANNELS_MAX];
    int code = dataset_open(&pool->dataset, directory, err);
    if (code)
        return code;
    const int channels = dataset_channels(pool->dataset);
    for (int c = 0; c < channels; c++)
        names[c] = dataset_channel_name(pool->dataset, c);
    code = pool_set_shape(pool, dataset_stamp(pool->dataset), channels, names, directory, err);
    for (int part = 0; part < DATASET_PART_MAX && !code; part++)
        code = read_part(pool, (enum dataset_part)part, err);
    return code;
}

static bool is_cutouts(const char *directory)
{
    static const char *const MARKS[] = {"cutouts.json", "real", "fake"};
    bool any = false;
    for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++) {
        CLEANUP(free_ptr) char *path = path_join(directory, MARKS[i]);
        any = any || path_exists(path);
    }
    return any;
}

int pool_open(struct pool *pool, const char *directory, struct job *job, struct err *err)
{
    if (!path_is_directory(directory))
        return err_set(err, -ENOENT, "there is no directory %s", directory);
    int code = is_cutouts(directory) ? pool_read_cutouts(pool, directory, job, err)
                                     : read_dataset(pool, directory, err);
    if (!code && pool->count == 0)
        code = err_set(err, -ENOENT, "%s has no stamps", directory);
    return code;
}

int pool_layout(const struct pool *pool, struct stamp_layout *layout, struct err *err)
{
    return stamp_layout_fill(layout, pool->side, (const char *const *)pool->names, pool->channels, err);
}

int pool_pixels(const struct pool *pool, size_t i, float *pixels, struct err *err)
{
    if (!pool->dataset)
        return pool_cutout_pixels(pool, i, pixels, err);
    const float *stamp = dataset_pixels(pool->dataset, (enum dataset_part)pool->file[i], pool->row[i], err);
    if (!stamp)
        return -EIO;
    dataset_turn_upright(pool->dataset, stamp, pixels);
    return 0;
}
