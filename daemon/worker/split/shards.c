/* See shards.h. */
#include "daemon/worker/split/shards.h"
#include "common/file.h"
#include "daemon/worker/dataset/h5.h"
#include "daemon/worker/dataset/npy.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* One of a shard's two arrays. */
struct array {
    const char *name; /* "x", "y" */
    const char *descr;
    enum h5_type type;
    int rank;
    size_t sizes[4], bytes;
    const void *items;
};

static json_t *describe_file(size_t bytes, uint64_t checksum)
{
    char digits[17];
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)checksum);
    return json_pack("{sI ss}", "bytes", (json_int_t)bytes, "xxh3", digits);
}

static int publish_npy(const char *path, const struct array *array, json_t **entry, struct err *err)
{
    char header[NPY_HEADER_MAX];
    const size_t length = npy_header(header, array->descr, array->rank, array->sizes);
    CLEANUP(outfile_discard_ptr) struct outfile *file = NULL;
    CLEANUP(free_ptr) XXH3_state_t *hash = aligned_alloc(64, sizeof *hash);
    if (!hash)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    XXH3_INITSTATE(hash);
    XXH3_64bits_reset(hash);
    XXH3_64bits_update(hash, header, length);
    XXH3_64bits_update(hash, array->items, array->bytes);
    int code = outfile_open(&file, path, err);
    if (!code)
        code = outfile_write(file, header, length, err);
    if (!code)
        code = outfile_write(file, array->items, array->bytes, err);
    if (!code)
        code = outfile_publish(TAKE(file), err);
    if (!code)
        *entry = describe_file(length + array->bytes, XXH3_64bits_digest(hash));
    return code;
}

static int publish_h5(const char *path, const struct array *array, json_t **entry, struct err *err)
{
    CLEANUP(h5_close_ptr) struct h5 *file = NULL;
    uint64_t checksum;
    struct stat status;
    int code = h5_create(&file, path, err);
    if (!code)
        code = h5_write(file, array->name, array->type, 0, array->rank, array->sizes, array->items, err);
    if (!code)
        code = h5_publish(TAKE(file), err);
    if (!code)
        code = file_checksum(path, &checksum, err);
    if (!code && stat(path, &status) != 0)
        code = err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    if (!code)
        *entry = describe_file((size_t)status.st_size, checksum);
    return code;
}

static int publish(const struct shard_style *style, const struct plan_shard *shard, const struct array *array,
                   json_t **entry, struct err *err)
{
    CLEANUP(free_ptr)
    char *path = dataset_shard_path(style->directory, *array->name, shard->part, shard->k, style->hdf5);
    return style->hdf5 ? publish_h5(path, array, entry, err) : publish_npy(path, array, entry, err);
}

/* (y, x, channel) to (x, y, channel), in place. */
static void turn(float *pixels, size_t side, size_t channels)
{
    float spare[DATASET_CHANNELS_MAX];
    for (size_t y = 0; y < side; y++) {
        for (size_t x = 0; x < y; x++) {
            float *one = pixels + (y * side + x) * channels, *two = pixels + (x * side + y) * channels;
            memcpy(spare, one, channels * sizeof *spare);
            memcpy(one, two, channels * sizeof *spare);
            memcpy(two, spare, channels * sizeof *spare);
        }
    }
}

int shard_publish(const struct shard_style *style, const struct plan *plan, struct batch *batch, size_t i,
                  json_t **entry, struct err *err)
{
    const struct plan_shard shard = plan_shard(plan, i);
    const size_t first = shard.first - batch->first, side = (size_t)plan->stamp,
                 channels = (size_t)plan->channels;
    json_t *x = NULL, *y = NULL;
    CLEANUP(free_ptr) int64_t *labels = calloc(shard.count, sizeof *labels);
    if (!labels)
        return err_set(err, -ENOMEM, "out of memory for the labels of %zu examples", shard.count);
    for (size_t e = 0; e < shard.count; e++) {
        labels[e] = plan->sources[plan_source_of(plan->examples[shard.first + e])].label;
        if (style->transposed)
            turn((float *)batch_pixels(batch, first + e), side, channels);
    }
    const struct array pixels = {"x",
                                 "<f4",
                                 H5_TYPE_REAL32,
                                 4,
                                 {shard.count, side, side, channels},
                                 shard.count * batch->stamp_bytes,
                                 batch_pixels(batch, first)},
                       classes = {"y",   "<i8", H5_TYPE_INT64, 1, {shard.count}, shard.count * sizeof *labels,
                                  labels};
    int code = publish(style, &shard, &pixels, &x, err);
    if (!code)
        code = publish(style, &shard, &classes, &y, err);
    if (code) {
        json_decref(x);
        return code;
    }
    *entry = json_pack("{ss sI sI so so}", "part", dataset_part_name(shard.part), "k", (json_int_t)shard.k,
                       "examples", (json_int_t)shard.count, "x", x, "y", y);
    return 0;
}

void shard_count_pixels(const struct plan *plan, const struct batch *batch, size_t i,
                        struct histogram *histogram)
{
    const struct plan_shard shard = plan_shard(plan, i);
    if (shard.part == DATASET_TRAIN)
        histogram_add(histogram, (const float *)batch_pixels(batch, shard.first - batch->first),
                      shard.count * (size_t)plan->stamp * (size_t)plan->stamp);
}
