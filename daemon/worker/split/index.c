/* See index.h. Each cutout file is opened once: its values go to their places in scratch columns, which are
 * files without a name in the dataset's directory, mapped, so that memory does not grow with the dataset but
 * for the 8 bytes a stamp that say where it went. */
#include "daemon/worker/split/index.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>

static const enum h5_type TYPES[] = {
    [CUTOUT_INT64] = H5_TYPE_INT64,
    [CUTOUT_REAL64] = H5_TYPE_REAL64,
    [CUTOUT_REAL32] = H5_TYPE_REAL32,
    [CUTOUT_TEXT] = H5_TYPE_TEXT,
};

struct scratch {
    char *items;
    size_t size;
};

struct index {
    const struct scan *scan;
    const struct plan *plan;
    uint64_t *places;        /* of every stamp of the scan: its example, or NOWHERE */
    struct scratch *columns; /* one a column of the scan */
};

static const uint64_t NOWHERE = UINT64_MAX;

/* Space is taken on the disk now: a full one is an error here and not a SIGBUS later. */
static int scratch_make(struct scratch *scratch, const char *directory, size_t size, struct err *err)
{
    CLEANUP(free_ptr) char *path = str_format("%s/.column.XXXXXX.part", directory);
    CLEANUP(close_fd) int fd = mkostemps(path, 5, O_CLOEXEC);
    if (fd < 0)
        return err_set(err, -errno, "cannot write in %s: %s", directory, strerror(errno));
    unlink(path);
    scratch->size = size ? size : 1;
    int code = posix_fallocate(fd, 0, (off_t)scratch->size);
    if (code)
        return err_set(err, -code, "cannot write in %s: %s", directory, strerror(code));
    void *map = mmap(NULL, scratch->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return err_set(err, -errno, "cannot map a file in %s: %s", directory, strerror(errno));
    scratch->items = map;
    return 0;
}

static void index_free(struct index *index)
{
    for (size_t c = 0; index->columns && c < index->scan->column_count; c++) {
        if (index->columns[c].items)
            munmap(index->columns[c].items, index->columns[c].size);
    }
    free(index->columns);
    free(index->places);
}

/* What a column holds where its file has none. */
static void fill_missing(struct scratch *scratch, enum cutout_type type, size_t count)
{
    for (size_t i = 0; i < count && type == CUTOUT_REAL64; i++)
        ((double *)scratch->items)[i] = NAN;
    for (size_t i = 0; i < count && type == CUTOUT_REAL32; i++)
        ((float *)scratch->items)[i] = NAN;
}

static int index_init(struct index *index, const char *directory, struct err *err)
{
    const struct scan *scan = index->scan;
    const struct plan *plan = index->plan;
    index->places = malloc((scan->total + 1) * sizeof *index->places);
    index->columns = calloc(scan->column_count + 1, sizeof *index->columns);
    if (!index->places || !index->columns)
        return err_set(err, -ENOMEM, "the index of %zu examples does not fit in memory", plan->total);
    for (size_t i = 0; i < scan->total; i++)
        index->places[i] = NOWHERE;
    for (size_t i = 0; i < plan->total; i++)
        index->places[scan->sources[plan_source_of(plan->examples[i])].first +
                      plan_row_of(plan->examples[i])] = i;
    int code = 0;
    for (size_t c = 0; c < scan->column_count && !code; c++) {
        const struct scan_column *column = &scan->columns[c];
        code = scratch_make(&index->columns[c], directory,
                            plan->total * h5_item_size(TYPES[column->type], column->width), err);
        if (!code)
            fill_missing(&index->columns[c], column->type, plan->total);
    }
    return code;
}

static double real_of(const struct cutout_column *column, size_t row)
{
    if (column->type == CUTOUT_INT64)
        return (double)((const int64_t *)column->values)[row];
    return column->type == CUTOUT_REAL32 ? ((const float *)column->values)[row]
                                         : ((const double *)column->values)[row];
}

/* One value to its place, as the type of the whole column. */
static void put(const struct scan_column *wanted, const struct cutout_column *column, size_t row, char *items,
                size_t place)
{
    if (wanted->type == CUTOUT_REAL64) {
        ((double *)items)[place] = real_of(column, row);
        return;
    }
    const size_t from = h5_item_size(TYPES[column->type], column->width),
                 to = h5_item_size(TYPES[wanted->type], wanted->width);
    memcpy(items + place * to, (const char *)column->values + row * from, from < to ? from : to);
}

static void put_column(struct index *index, const struct source *source, const struct cutout_column *column)
{
    for (size_t c = 0; c < index->scan->column_count; c++) {
        if (strcmp(index->scan->columns[c].name, column->name) != 0)
            continue;
        for (size_t row = 0; row < source->count; row++) {
            uint64_t place = index->places[source->first + row];
            if (place != NOWHERE)
                put(&index->scan->columns[c], column, row, index->columns[c].items, place);
        }
    }
}

static int put_source(struct index *index, const struct source *source, struct err *err)
{
    CLEANUP(cutout_file_close_ptr) struct cutout_file *file = NULL;
    const struct cutout_column *columns;
    size_t count = 0;
    int code = cutout_file_open(&file, source->path, err);
    if (!code && cutout_file_count(file) != source->count)
        code = err_set(err, -EBUSY, "%s changed while it was read", source->path);
    if (!code)
        code = cutout_file_read_columns(file, &columns, &count, err);
    for (size_t i = 0; i < count && !code; i++)
        put_column(index, source, &columns[i]);
    return code;
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

static int write_columns(struct h5 *file, const struct index *index, struct err *err)
{
    int code = 0;
    for (size_t c = 0; c < index->scan->column_count && !code; c++) {
        const struct scan_column *column = &index->scan->columns[c];
        code = h5_write(file, column->name, TYPES[column->type], column->width, 1, &index->plan->total,
                        index->columns[c].items, err);
        if (code || !column->unit)
            continue;
        json_t *unit = json_pack("{ss}", "unit", column->unit);
        code = h5_write_attributes(file, column->name, unit, err);
        json_decref(unit);
    }
    return code;
}

int index_publish(const char *directory, const struct scan *scan, const struct plan *plan, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "index.h5");
    CLEANUP(h5_close_ptr) struct h5 *file = NULL;
    CLEANUP(index_free) struct index index = {.scan = scan, .plan = plan};
    int code = index_init(&index, directory, err);
    for (size_t s = 0; s < scan->source_count && !code; s++)
        code = put_source(&index, &scan->sources[s], err);
    if (!code)
        code = h5_create(&file, path, err);
    if (!code)
        code = write_places(file, plan, err);
    if (!code)
        code = write_columns(file, &index, err);
    return code ? code : h5_publish(TAKE(file), err);
}
