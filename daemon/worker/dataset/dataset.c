/* See dataset.h. Names of files come from part and number, never from the manifest. What is there must be what
 * the manifest says: sizes and headers are checked when a shard is mapped, checksums by audit. */
#include "daemon/worker/dataset/dataset.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/dataset_private.h"
#include "proto/json.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
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

/* {"bytes", "xxh3"} */
static int read_file_entry(const json_t *entry, struct dataset_file *file)
{
    const char *digits = json_string_value(json_object_get(entry, "xxh3"));
    const json_int_t bytes = json_integer_value(json_object_get(entry, "bytes"));
    if (bytes < 1)
        return -EINVAL;
    file->bytes = (size_t)bytes;
    file->xxh3 = digits ? strtoull(digits, NULL, 16) : 0;
    return 0;
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

/* An entry of "shards". Shards of a part are numbered from 1 as they come, and only the last is short. */
static int add_shard(struct dataset *dataset, const json_t *entry)
{
    enum dataset_part part;
    json_int_t count = json_integer_value(json_object_get(entry, "examples"));
    if (find_part(entry, &part) != 0)
        return -EINVAL;
    struct dataset_part_data *data = &dataset->parts[part];
    if (count < 1 || (size_t)count > dataset->shard_examples ||
        data->count != data->shard_count * dataset->shard_examples ||
        json_integer_value(json_object_get(entry, "k")) != (json_int_t)data->shard_count + 1)
        return -EINVAL;
    struct shard *shard = &data->shards[data->shard_count++];
    *shard = (struct shard){.first = data->count, .count = (size_t)count};
    data->count += (size_t)count;
    int code = read_file_entry(json_object_get(entry, "x"), &shard->x);
    return code ? code : read_file_entry(json_object_get(entry, "y"), &shard->y);
}

static int add_shards(struct dataset *dataset, const json_t *shards)
{
    size_t i, counts[DATASET_PART_MAX] = {0};
    json_t *entry;
    json_array_foreach(shards, i, entry)
    {
        enum dataset_part part;
        if (find_part(entry, &part) == 0)
            counts[part]++;
    }
    int code = 0;
    for (int p = 0; p < DATASET_PART_MAX && !code; p++) {
        dataset->parts[p].shards = calloc(counts[p] + 1, sizeof(struct shard));
        code = dataset->parts[p].shards ? 0 : -ENOMEM;
    }
    for (i = 0; i < json_array_size(shards) && !code; i++)
        code = add_shard(dataset, json_array_get(shards, i));
    for (int p = 0; p < DATASET_PART_MAX && !code; p++) {
        dataset->parts[p].labels = calloc(dataset->parts[p].count + 1, 1);
        code = dataset->parts[p].labels ? 0 : -ENOMEM;
    }
    return code;
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
    return add_shards(dataset, shards);
}

static int read_manifest(struct dataset *dataset, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(dataset->directory, "manifest.json");
    int code = json_read_file(path, &dataset->manifest, err);
    if (code)
        return code;
    code = read_shape(dataset);
    if (code == -ENOMEM)
        return err_set(err, code, "out of memory for %s", path);
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
    json_object_del(dataset->manifest, "shards"); /* a survey's are 150 MB; struct shard has what they say */
    malloc_trim(0);
    return 0;
}

int dataset_open(struct dataset **out, const char *directory, struct err *err)
{
    CLEANUP(dataset_close_ptr) struct dataset *dataset = calloc(1, sizeof *dataset);
    if (!dataset)
        return err_set(err, -ENOMEM, "out of memory for %s", directory);
    pthread_mutex_init(&dataset->lock, NULL);
    dataset->directory = str_format("%s", directory);
    CLEANUP(free_ptr) char *manifest = path_join(directory, "manifest.json");
    if (!path_is_directory(directory))
        return err_set(err, -ENOENT, "there is no directory %s", directory);
    int code = path_exists(manifest) ? read_manifest(dataset, err) : foreign_open(dataset, err);
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
            free(part->shards[i].path);
        }
        free(part->shards);
        free(part->labels);
        free(part->bricks);
    }
    json_decref(dataset->manifest);
    free(dataset->directory);
    free(dataset->cache);
    pthread_mutex_destroy(&dataset->lock);
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

size_t dataset_stamp_bytes(const struct dataset *dataset)
{
    return (size_t)dataset->stamp * (size_t)dataset->stamp * (size_t)dataset->channels * sizeof(float);
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

double dataset_channel_median(const struct dataset *dataset, int channel)
{
    const json_t *constants = json_object_get(dataset->manifest, "normalisation");
    return json_number_value(
        json_object_get(json_object_get(constants, dataset_channel_name(dataset, channel)), "median"));
}
