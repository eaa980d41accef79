/* See index.h. */
#include "daemon/worker/split/index.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const enum h5_type TYPES[] = {
    [CUTOUT_INT64] = H5_TYPE_INT64,
    [CUTOUT_REAL64] = H5_TYPE_REAL64,
    [CUTOUT_REAL32] = H5_TYPE_REAL32,
    [CUTOUT_TEXT] = H5_TYPE_TEXT,
};

static char *aside_path(const char *aside, size_t bucket)
{
    return str_format("%s/rows-%zu", aside, bucket);
}

int index_put(const char *aside, const struct batch *batch, size_t bucket, struct err *err)
{
    CLEANUP(free_ptr) char *path = aside_path(aside, bucket);
    CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    const size_t size = batch->count * batch->tail_bytes;
    for (size_t done = 0; fd >= 0 && done < size;) {
        ssize_t written = write(fd, batch->tails + done, size - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return err_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
        done += (size_t)written;
    }
    return fd < 0 ? err_set(err, -errno, "cannot write %s: %s", path, strerror(errno)) : 0;
}

/* split, shard, row, label: a shard at a time. */
static int write_places(struct h5 *file, const struct plan *plan, struct err *err)
{
    enum { TEXT = 5 };
    CLEANUP(free_ptr) int64_t *numbers = calloc(3 * plan->shard_examples, sizeof *numbers);
    CLEANUP(free_ptr) char *split = calloc(plan->shard_examples, TEXT);
    if (!numbers || !split)
        return err_set(err, -ENOMEM, "out of memory for %s", h5_path(file));
    int64_t *shards = numbers, *rows = shards + plan->shard_examples, *labels = rows + plan->shard_examples;
    int code = h5_make(file, "split", H5_TYPE_TEXT, TEXT, 1, &plan->total, err);
    static const char *const NAMES[] = {"shard", "row", "label"};
    for (size_t n = 0; n < 3 && !code; n++)
        code = h5_make(file, NAMES[n], H5_TYPE_INT64, 0, 1, &plan->total, err);
    for (size_t s = 0; s < plan_shard_count(plan) && !code; s++) {
        const struct plan_shard shard = plan_shard(plan, s);
        const char *part = dataset_part_name(shard.part);
        for (size_t i = 0; i < shard.count; i++) {
            memcpy(memset(split + i * TEXT, 0, TEXT), part, strlen(part));
            shards[i] = (int64_t)shard.k;
            rows[i] = (int64_t)i;
            labels[i] = plan->sources[plan_source_of(plan->examples[shard.first + i])].label;
        }
        const void *const values[] = {shards, rows, labels};
        code = h5_write_rows(file, "split", shard.first, shard.count, split, err);
        for (size_t n = 0; n < 3 && !code; n++)
            code = h5_write_rows(file, NAMES[n], shard.first, shard.count, values[n], err);
    }
    return code;
}

static int make_columns(struct h5 *file, const struct plan *plan, struct err *err)
{
    int code = 0;
    for (size_t c = 0; c < plan->rows.count && !code; c++) {
        const struct row_column *column = &plan->rows.columns[c];
        code = h5_make(file, column->name, TYPES[column->type], column->width, 1, &plan->total, err);
        if (code || !column->unit)
            continue;
        json_t *unit = json_pack("{ss}", "unit", column->unit);
        code = h5_write_attributes(file, column->name, unit, err);
        json_decref(unit);
    }
    return code;
}

/* The rows of a batch to the file's columns. items has room for the widest column. */
static int write_rows(struct h5 *file, const struct plan *plan, const struct batch *batch, char *items,
                      struct err *err)
{
    int code = 0;
    for (size_t c = 0; c < plan->rows.count && !code; c++) {
        const struct row_column *column = &plan->rows.columns[c];
        const size_t size = rows_item_size(column->type, column->width);
        for (size_t slot = 0; slot < batch->count; slot++)
            memcpy(items + slot * size, batch_row(batch, slot) + column->offset, size);
        code = h5_write_rows(file, column->name, batch->first, batch->count, items, err);
    }
    return code;
}

int index_take(const char *aside, const struct plan *plan, const struct shuffle *shuffle, size_t bucket,
               struct batch *batch, struct err *err)
{
    CLEANUP(free_ptr) char *path = aside_path(aside, bucket);
    size_t shard, count, there = 0;
    shuffle_bucket_shards(shuffle, bucket, &shard, &count);
    const struct plan_shard last = plan_shard(plan, shard + count - 1);
    *batch = (struct batch){.tail_bytes = batch_tail_bytes(plan), .first = plan_shard(plan, shard).first};
    batch->count = last.first + last.count - batch->first;
    const size_t size = batch->count * batch->tail_bytes;
    int code = file_read(path, size, &batch->tails, &there, err);
    if (!code && there != size)
        code = err_set(err, -EIO, "%s ends too early", path);
    return code;
}

static int write_bucket(struct h5 *file, const char *aside, const struct plan *plan,
                        const struct shuffle *shuffle, size_t bucket, struct err *err)
{
    CLEANUP(batch_free) struct batch batch;
    int code = index_take(aside, plan, shuffle, bucket, &batch, err);
    CLEANUP(free_ptr) char *items = malloc(batch.count * batch.tail_bytes);
    if (!code && !items)
        code = err_set(err, -ENOMEM, "the index of %zu examples does not fit in memory", batch.count);
    return code ? code : write_rows(file, plan, &batch, items, err);
}

int index_publish(const char *directory, const char *aside, const struct plan *plan,
                  const struct shuffle *shuffle, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "index.h5");
    CLEANUP(h5_close_ptr) struct h5 *file = NULL;
    int code = h5_create(&file, path, err);
    if (!code)
        code = write_places(file, plan, err);
    if (!code)
        code = make_columns(file, plan, err);
    for (size_t bucket = 0; bucket < shuffle_buckets(shuffle) && !code; bucket++)
        code = write_bucket(file, aside, plan, shuffle, bucket, err);
    return code ? code : h5_publish(TAKE(file), err);
}
