/* See dataset.h. Shards are mapped whole, read-only; labels are copied (a byte an example). Names of files
 * come from part and number, never from the manifest. What is there must be what the manifest says: sizes
 * and headers are checked here, checksums by audit. */
#include "daemon/worker/dataset/dataset.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/dataset_private.h"
#include "daemon/worker/dataset/npy.h"
#include "proto/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static const char *const PART_NAMES[DATASET_PART_MAX] = {"train", "valid", "test"};

const char *dataset_part_name(enum dataset_part part)
{
    return PART_NAMES[part];
}

char *dataset_shard_path(const char *directory, char which, enum dataset_part part, size_t k)
{
    return str_format("%s/%c%s_%zu.npy", directory, which, PART_NAMES[part], k);
}

/* A file of exactly `size` bytes, mapped. */
static int map_file(const char *path, size_t size, void **map, struct err *err)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    if ((size_t)status.st_size != size)
        return err_set(err, -EINVAL, "%s has %lld bytes, its manifest says %zu: run split again", path,
                       (long long)status.st_size, size);
    *map = size ? mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (*map != MAP_FAILED)
        return 0;
    *map = NULL;
    return err_set(err, -ENOMEM, "cannot map %s: %s (with very many shards, vm.max_map_count must be higher)",
                   path, strerror(errno));
}

/* An npy file of the shape wanted, mapped; *items points to its first item. */
static int map_array(const char *path, size_t bytes, const struct npy *wanted, size_t item_size, void **map,
                     const void **items, struct err *err)
{
    struct npy npy;
    int code = map_file(path, bytes, map, err);
    if (code)
        return code;
    code = npy_parse(&npy, *map, bytes, err);
    if (code)
        return err_prefix(err, "%s", path);
    size_t count = 1;
    for (int i = 0; i < wanted->rank; i++)
        count *= wanted->sizes[i];
    if (strcmp(npy.descr, wanted->descr) != 0 || npy.rank != wanted->rank ||
        memcmp(npy.sizes, wanted->sizes, sizeof npy.sizes) != 0 || bytes != npy.offset + count * item_size)
        return err_set(err, -EINVAL, "%s is not the array its manifest says: run split again", path);
    *items = (const char *)*map + npy.offset;
    return 0;
}

static int read_labels(const struct dataset *dataset, enum dataset_part part, size_t k, size_t bytes,
                       size_t count, uint8_t *labels, struct err *err)
{
    CLEANUP(free_ptr) char *path = dataset_shard_path(dataset->directory, 'y', part, k);
    const struct npy wanted = {.descr = "<i8", .rank = 1, .sizes = {count}};
    const void *items;
    void *map = NULL;
    int code = map_array(path, bytes, &wanted, sizeof(int64_t), &map, &items, err);
    for (size_t i = 0; i < count && !code; i++) {
        int64_t label = ((const int64_t *)items)[i];
        labels[i] = (uint8_t)label;
        if (label != 0 && label != 1)
            code = err_set(err, -EINVAL, "%s, row %zu: label %lld is neither 0 nor 1", path, i,
                           (long long)label);
    }
    if (map)
        munmap(map, bytes);
    return code;
}

static size_t shard_bytes(const json_t *entry, const char *which)
{
    return (size_t)json_integer_value(json_object_get(json_object_get(entry, which), "bytes"));
}

static int open_shard(struct dataset *dataset, enum dataset_part part, const json_t *entry, struct err *err)
{
    struct dataset_part_data *data = &dataset->parts[part];
    struct shard *shard = &data->shards[data->shard_count++];
    const size_t k = data->shard_count, side = (size_t)dataset->stamp, bytes = shard_bytes(entry, "x");
    CLEANUP(free_ptr) char *path = dataset_shard_path(dataset->directory, 'x', part, k);
    shard->count = (size_t)json_integer_value(json_object_get(entry, "examples"));
    const struct npy wanted = {
        .descr = "<f4", .rank = 4, .sizes = {shard->count, side, side, (size_t)dataset->channels}};
    const void *pixels;
    int code = map_array(path, bytes, &wanted, sizeof(float), &shard->map, &pixels, err);
    shard->map_size = shard->map ? bytes : 0;
    if (code)
        return code;
    shard->pixels = pixels;
    code =
        read_labels(dataset, part, k, shard_bytes(entry, "y"), shard->count, data->labels + data->count, err);
    data->count += shard->count;
    return code;
}

static int find_part(const json_t *entry, enum dataset_part *part)
{
    const char *name = json_string_value(json_object_get(entry, "part"));
    for (int i = 0; name && i < DATASET_PART_MAX; i++) {
        if (strcmp(name, PART_NAMES[i]) == 0) {
            *part = (enum dataset_part)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* Room for every part's shards and labels. Shards of a part are numbered from 1 as they come, and only the
 * last is short. */
static int count_shards(struct dataset *dataset, const json_t *shards)
{
    size_t i, counts[DATASET_PART_MAX] = {0}, examples[DATASET_PART_MAX] = {0};
    json_t *entry;
    json_array_foreach(shards, i, entry)
    {
        enum dataset_part part;
        json_int_t count = json_integer_value(json_object_get(entry, "examples"));
        if (find_part(entry, &part) != 0 || count < 1 || (size_t)count > dataset->shard_examples ||
            examples[part] != counts[part] * dataset->shard_examples ||
            json_integer_value(json_object_get(entry, "k")) != (json_int_t)++counts[part])
            return -EINVAL;
        examples[part] += (size_t)count;
    }
    for (int p = 0; p < DATASET_PART_MAX; p++) {
        dataset->parts[p].shards = calloc(counts[p] + 1, sizeof(struct shard));
        dataset->parts[p].labels = calloc(examples[p] + 1, 1);
        if (!dataset->parts[p].shards || !dataset->parts[p].labels)
            return -ENOMEM;
    }
    return 0;
}

/* Shape of the stamps; -EINVAL when the manifest is not one of ours. */
static int read_shape(struct dataset *dataset)
{
    enum { SIDE_MAX = 4096, SHARD_MAX = 1000000 };
    json_int_t version, stamp, shard;
    json_t *channels, *shards;
    if (json_unpack(dataset->manifest, "{sI sI sI so so}", "v", &version, "stamp", &stamp, "shard_examples",
                    &shard, "channels", &channels, "shards", &shards) != 0)
        return -EINVAL;
    size_t channel_count = json_array_size(channels);
    if (version != 1 || stamp < 1 || stamp > SIDE_MAX || shard < 1 || shard > SHARD_MAX ||
        channel_count < 1 || channel_count > DATASET_CHANNELS_MAX || !json_is_array(shards))
        return -EINVAL;
    dataset->stamp = (int)stamp;
    dataset->channels = (int)channel_count;
    dataset->shard_examples = (size_t)shard;
    return count_shards(dataset, shards);
}

static int read_manifest(struct dataset *dataset, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(dataset->directory, "manifest.json");
    if (!path_exists(dataset->directory))
        return err_set(err, -ENOENT, "there is no directory %s", dataset->directory);
    if (!path_exists(path))
        return err_set(err, -ENOENT, "%s is not a finished dataset: it has no manifest.json",
                       dataset->directory);
    int code = json_read_file(path, &dataset->manifest, err);
    if (code)
        return code;
    code = read_shape(dataset);
    if (code)
        return err_set(err, code, "%s is not the manifest of a dataset (version 1)", path);
    CLEANUP(free_ptr)
    char *text = json_dumps(dataset->manifest, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(10));
    if (!text)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    dataset->fingerprint = XXH3_64bits(text, strlen(text));
    return 0;
}

int dataset_open(struct dataset **out, const char *directory, struct err *err)
{
    CLEANUP(dataset_close_ptr) struct dataset *dataset = calloc(1, sizeof *dataset);
    if (!dataset)
        return err_set(err, -ENOMEM, "out of memory for %s", directory);
    dataset->directory = str_format("%s", directory);
    int code = read_manifest(dataset, err);
    if (code)
        return code;
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(dataset->manifest, "shards"), i, entry)
    {
        enum dataset_part part = DATASET_TRAIN;
        find_part(entry, &part);
        code = open_shard(dataset, part, entry, err);
        if (code)
            return code;
    }
    *out = TAKE(dataset);
    return 0;
}

void dataset_close(struct dataset *dataset)
{
    if (!dataset)
        return;
    for (int p = 0; p < DATASET_PART_MAX; p++) {
        struct dataset_part_data *part = &dataset->parts[p];
        for (size_t i = 0; i < part->shard_count; i++) {
            if (part->shards[i].map)
                munmap(part->shards[i].map, part->shards[i].map_size);
        }
        free(part->shards);
        free(part->labels);
    }
    json_decref(dataset->manifest);
    free(dataset->directory);
    free(dataset);
}

size_t dataset_count(const struct dataset *dataset, enum dataset_part part)
{
    return dataset->parts[part].count;
}

int dataset_stamp(const struct dataset *dataset)
{
    return dataset->stamp;
}

int dataset_channels(const struct dataset *dataset)
{
    return dataset->channels;
}

const char *dataset_channel_name(const struct dataset *dataset, int channel)
{
    const char *name =
        json_string_value(json_array_get(json_object_get(dataset->manifest, "channels"), (size_t)channel));
    return name ? name : "";
}

const json_t *dataset_manifest(const struct dataset *dataset)
{
    return dataset->manifest;
}

uint64_t dataset_fingerprint(const struct dataset *dataset)
{
    return dataset->fingerprint;
}

const float *dataset_pixels(const struct dataset *dataset, enum dataset_part part, size_t i)
{
    size_t row_items = (size_t)dataset->stamp * (size_t)dataset->stamp * (size_t)dataset->channels;
    const struct shard *shard = &dataset->parts[part].shards[i / dataset->shard_examples];
    return shard->pixels + i % dataset->shard_examples * row_items;
}

uint8_t dataset_label(const struct dataset *dataset, enum dataset_part part, size_t i)
{
    return dataset->parts[part].labels[i];
}

size_t dataset_window(const struct dataset *dataset)
{
    return DATASET_WINDOW * dataset->shard_examples;
}

/* madvise wants whole pages: the first one is begun early. */
static void prefetch_bytes(const void *data, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)data / page * page;
    madvise((void *)first, (uintptr_t)data + size - first, MADV_WILLNEED);
}

void dataset_prefetch(const struct dataset *dataset, enum dataset_part part, size_t first, size_t count)
{
    const struct dataset_part_data *data = &dataset->parts[part];
    size_t row = (size_t)dataset->stamp * (size_t)dataset->stamp * (size_t)dataset->channels * sizeof(float);
    while (count && first < data->count) {
        const struct shard *shard = &data->shards[first / dataset->shard_examples];
        size_t left = shard->count - first % dataset->shard_examples, some = count < left ? count : left;
        prefetch_bytes(dataset_pixels(dataset, part, first), some * row);
        first += some;
        count -= some;
    }
}

double dataset_channel_median(const struct dataset *dataset, int channel)
{
    const json_t *constants = json_object_get(dataset->manifest, "normalisation");
    return json_number_value(
        json_object_get(json_object_get(constants, dataset_channel_name(dataset, channel)), "median"));
}
