/* See dataset.h. Names of files come from part and number, never from the manifest. What is there must be what
 * the manifest says: sizes and headers are checked here, checksums by audit. */
#include "daemon/worker/dataset/dataset.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/dataset_private.h"
#include "proto/json.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static const char *const PART_NAMES[DATASET_PART_MAX] = {"train", "valid", "test"};

const char *dataset_part_name(enum dataset_part part)
{
    return PART_NAMES[part];
}

char *dataset_shard_path(const char *directory, char which, enum dataset_part part, size_t k, bool hdf5)
{
    return str_format("%s/%c%s_%zu.%s", directory, which, PART_NAMES[part], k, hdf5 ? "h5" : "npy");
}

static size_t shard_bytes(const json_t *entry, const char *which)
{
    return (size_t)json_integer_value(json_object_get(json_object_get(entry, which), "bytes"));
}

static int open_shard(struct dataset *dataset, enum dataset_part part, const json_t *entry, struct err *err)
{
    struct dataset_part_data *data = &dataset->parts[part];
    struct shard *shard = &data->shards[data->shard_count++];
    const size_t k = data->shard_count, side = (size_t)dataset->stamp;
    CLEANUP(free_ptr) char *pixels = dataset_file(dataset, 'x', part, k);
    CLEANUP(free_ptr) char *labels = dataset_file(dataset, 'y', part, k);
    shard->count = (size_t)json_integer_value(json_object_get(entry, "examples"));
    shard->first = data->count;
    const size_t sizes[] = {shard->count, side, side, (size_t)dataset->channels};
    int code = shard_map(shard, pixels, shard_bytes(entry, "x"), sizes, err);
    if (!code)
        code =
            shard_read_labels(labels, shard_bytes(entry, "y"), shard->count, data->labels + data->count, err);
    data->count += shard->count;
    return code;
}

char *dataset_file(const struct dataset *dataset, char which, enum dataset_part part, size_t k)
{
    return dataset_shard_path(dataset->directory, which, part, k, dataset->hdf5);
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
    const char *format = json_string_value(json_object_get(dataset->manifest, "format")),
               *axes = json_string_value(json_object_get(dataset->manifest, "axes"));
    dataset->hdf5 = format && strcmp(format, "hdf5") == 0;
    dataset->transposed = axes && strcmp(axes, "xy") == 0;
    dataset->stamp = (int)stamp;
    dataset->channels = (int)channel_count;
    dataset->shard_examples = (size_t)shard;
    return count_shards(dataset, shards);
}

static int read_manifest(struct dataset *dataset, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(dataset->directory, "manifest.json");
    int code = json_read_file(path, &dataset->manifest, err);
    if (code)
        return code;
    code = read_shape(dataset);
    if (code)
        return err_set(err, code, "%s is not the manifest of a dataset (version 1)", path);
    return 0;
}

static int take_fingerprint(struct dataset *dataset, struct err *err)
{
    CLEANUP(free_ptr)
    char *text = json_dumps(dataset->manifest, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(10));
    if (!text)
        return err_set(err, -ENOMEM, "out of memory for %s", dataset->directory);
    dataset->fingerprint = XXH3_64bits(text, strlen(text));
    return 0;
}

static int open_shards(struct dataset *dataset, struct err *err)
{
    size_t i;
    json_t *entry;
    int code = read_manifest(dataset, err);
    if (code)
        return code;
    json_array_foreach(json_object_get(dataset->manifest, "shards"), i, entry)
    {
        enum dataset_part part = DATASET_TRAIN;
        find_part(entry, &part);
        code = open_shard(dataset, part, entry, err);
        if (code)
            return code;
    }
    return 0;
}

int dataset_open(struct dataset **out, const char *directory, struct err *err)
{
    CLEANUP(dataset_close_ptr) struct dataset *dataset = calloc(1, sizeof *dataset);
    if (!dataset)
        return err_set(err, -ENOMEM, "out of memory for %s", directory);
    dataset->directory = str_format("%s", directory);
    CLEANUP(free_ptr) char *manifest = path_join(directory, "manifest.json");
    if (!path_is_directory(directory))
        return err_set(err, -ENOENT, "there is no directory %s", directory);
    int code = path_exists(manifest) ? open_shards(dataset, err) : foreign_open(dataset, err);
    if (!code)
        code = take_fingerprint(dataset, err);
    if (code)
        return code;
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
            shard_unmap(&part->shards[i]);
        }
        free(part->shards);
        free(part->labels);
        free(part->bricks);
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

bool dataset_is_transposed(const struct dataset *dataset)
{
    return dataset->transposed;
}

void dataset_turn_upright(const struct dataset *dataset, const float *stamp, float *upright)
{
    const size_t side = (size_t)dataset_stamp(dataset), channels = (size_t)dataset_channels(dataset);
    const bool transposed = dataset_is_transposed(dataset);
    for (size_t y = 0; y < side; y++) {
        for (size_t x = 0; x < side; x++)
            memcpy(upright + (y * side + x) * channels,
                   stamp + (transposed ? x * side + y : y * side + x) * channels, channels * sizeof *upright);
    }
}

const json_t *dataset_manifest(const struct dataset *dataset)
{
    return dataset->manifest;
}

uint64_t dataset_fingerprint(const struct dataset *dataset)
{
    return dataset->fingerprint;
}

const struct shard *dataset_find_shard(const struct dataset *dataset, enum dataset_part part, size_t i)
{
    const struct shard *shards = dataset->parts[part].shards;
    if (!dataset->foreign)
        return &shards[i / dataset->shard_examples];
    size_t low = 0, high = dataset->parts[part].shard_count; /* shards of any length */
    while (high - low > 1) {                                 /* shards[low].first <= i < shards[high].first */
        const size_t middle = low + (high - low) / 2;
        *(shards[middle].first <= i ? &low : &high) = middle;
    }
    return &shards[low];
}

const float *dataset_pixels(const struct dataset *dataset, enum dataset_part part, size_t i)
{
    const size_t row_items = dataset_stamp_bytes(dataset) / sizeof(float);
    const struct shard *shard = dataset_find_shard(dataset, part, i);
    return shard->pixels + (i - shard->first) * row_items;
}

uint8_t dataset_label(const struct dataset *dataset, enum dataset_part part, size_t i)
{
    return dataset->parts[part].labels[i];
}

size_t dataset_stamp_bytes(const struct dataset *dataset)
{
    return (size_t)dataset->stamp * (size_t)dataset->stamp * (size_t)dataset->channels * sizeof(float);
}

size_t dataset_window(const struct dataset *dataset)
{
    return DATASET_WINDOW * dataset->shard_examples;
}

/* madvise wants whole pages: the first one is begun early. In pieces, since the kernel cuts what is asked for at once to
 * the device's read-ahead, or its largest request: 128 KiB at least. */
static void prefetch_bytes(const void *data, size_t size)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), piece = 128 << 10;
    const uintptr_t end = (uintptr_t)data + size;
    for (uintptr_t first = (uintptr_t)data / page * page; first < end; first += piece)
        madvise((void *)first, end - first < piece ? end - first : piece, MADV_WILLNEED);
}

void dataset_prefetch(const struct dataset *dataset, enum dataset_part part, size_t first, size_t count)
{
    const struct dataset_part_data *data = &dataset->parts[part];
    while (count && first < data->count) {
        const struct shard *shard = dataset_find_shard(dataset, part, first);
        size_t left = shard->first + shard->count - first, some = count < left ? count : left;
        prefetch_bytes(dataset_pixels(dataset, part, first), some * dataset_stamp_bytes(dataset));
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
