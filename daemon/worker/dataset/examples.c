/* Examples of a dataset, and the shards they lie in: see dataset.h. A shard is mapped when one of its examples is asked
 * for, and let go when DATASET_MAPPED others have been mapped since. */
#include "common/rng.h"
#include "daemon/worker/dataset/dataset_private.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STREAM_SHAM = 0x7368616d };

static struct shard *find_shard(const struct dataset *dataset, enum dataset_part part, size_t i)
{
    struct shard *shards = dataset->parts[part].shards;
    if (!dataset->foreign)
        return &shards[i / dataset->shard_examples];
    size_t low = 0, high = dataset->parts[part].shard_count; /* shards of any length */
    while (high - low > 1) {                                 /* shards[low].first <= i < shards[high].first */
        const size_t middle = low + (high - low) / 2;
        *(shards[middle].first <= i ? &low : &high) = middle;
    }
    return &shards[low];
}

char *shard_path(const struct dataset *dataset, char which, enum dataset_part part, const struct shard *shard)
{
    const size_t k = (size_t)(shard - dataset->parts[part].shards) + 1;
    if (dataset->cache && which == 'x') {
        CLEANUP(free_ptr) char *copy = cache_path(dataset, part, k);
        struct err absent = {0};
        if (shard_check(copy, shard->x.bytes, &absent) == 0)
            return TAKE(copy);
    }
    if (!shard->path)
        return dataset_file(dataset, which, part, k);
    char *path = strdup(shard->path), *name = path ? strrchr(path, '/') + 1 : NULL;
    if (name)
        *name = which;
    return path;
}

/* With the lock held. */
static int map_shard(struct dataset *dataset, enum dataset_part part, struct shard *shard, struct err *err)
{
    if (shard->map)
        return 0;
    const size_t side = (size_t)dataset->stamp,
                 sizes[] = {shard->count, side, side, (size_t)dataset->channels};
    CLEANUP(free_ptr) char *path = shard_path(dataset, 'x', part, shard);
    struct shard **turn = &dataset->mapped[dataset->mapped_next++ % DATASET_MAPPED];
    if (*turn)
        shard_unmap(*turn);
    *turn = shard;
    int code = shard_map(shard, path, shard->x.bytes, sizes, err);
    if (code) {
        shard_unmap(shard);
        *turn = NULL;
    }
    return code;
}

/* With the lock held. */
static int label_shard(struct dataset *dataset, enum dataset_part part, struct shard *shard, struct err *err)
{
    if (shard->labelled)
        return 0;
    CLEANUP(free_ptr) char *path = shard_path(dataset, 'y', part, shard);
    int code = shard_read_labels(path, shard->y.bytes, shard->count,
                                 dataset->parts[part].labels + shard->first, err);
    shard->labelled = !code;
    return code;
}

const struct shard *shard_of(struct dataset *dataset, enum dataset_part part, size_t i, size_t *offset,
                             struct err *err)
{
    struct shard *shard = find_shard(dataset, part, i);
    pthread_mutex_lock(&dataset->lock);
    int code = map_shard(dataset, part, shard, err);
    if (!code)
        *offset = (size_t)((const char *)shard->pixels - (const char *)shard->map) +
                  (i - shard->first) * dataset_stamp_bytes(dataset);
    pthread_mutex_unlock(&dataset->lock);
    return code ? NULL : shard;
}

const float *dataset_pixels(struct dataset *dataset, enum dataset_part part, size_t i, struct err *err)
{
    size_t offset;
    const struct shard *shard = shard_of(dataset, part, i, &offset, err);
    return shard ? (const float *)((const char *)shard->map + offset) : NULL;
}

void dataset_draw_labels(struct dataset *dataset, uint64_t seed)
{
    dataset->sham = true;
    dataset->sham_seed = seed;
}

static void draw_labels(const struct dataset *dataset, enum dataset_part part, size_t first, size_t count,
                        uint8_t *labels)
{
    struct rng rng;
    for (size_t i = 0; i < count; i++) {
        rng_init(&rng, dataset->sham_seed, STREAM_SHAM, (uint64_t)part << 48 ^ (first + i));
        labels[i] = rng_u32(&rng) & 1;
    }
}

int dataset_labels(struct dataset *dataset, enum dataset_part part, size_t first, size_t count,
                   uint8_t *labels, struct err *err)
{
    int code = 0;
    pthread_mutex_lock(&dataset->lock);
    for (size_t i = first; i < first + count && !code;) {
        struct shard *shard = find_shard(dataset, part, i);
        code = label_shard(dataset, part, shard, err);
        i = shard->first + shard->count;
    }
    if (!code && dataset->sham)
        draw_labels(dataset, part, first, count, labels);
    else if (!code && count)
        memcpy(labels, dataset->parts[part].labels + first, count);
    pthread_mutex_unlock(&dataset->lock);
    return code;
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

void dataset_prefetch(struct dataset *dataset, enum dataset_part part, size_t first, size_t count)
{
    const struct dataset_part_data *data = &dataset->parts[part];
    struct err later = {0}; /* whoever asks for the pixels is told */
    while (count && first < data->count) {
        const struct shard *shard = find_shard(dataset, part, first);
        size_t left = shard->first + shard->count - first, some = count < left ? count : left;
        const float *pixels = dataset_pixels(dataset, part, first, &later);
        if (!pixels)
            return;
        prefetch_bytes(pixels, some * dataset_stamp_bytes(dataset));
        first += some;
        count -= some;
    }
}

static size_t shards_of(const struct dataset *dataset, int part)
{
    const struct dataset_part_data *data = &dataset->parts[part];
    return dataset->foreign ? (data->count + dataset->shard_examples - 1) / dataset->shard_examples
                            : data->shard_count;
}

size_t dataset_shard_count(const struct dataset *dataset)
{
    size_t count = 0;
    for (int part = 0; part < DATASET_PART_MAX; part++)
        count += shards_of(dataset, part);
    return count;
}

struct dataset_shard dataset_shard(const struct dataset *dataset, size_t i)
{
    int part = 0;
    for (; i >= shards_of(dataset, part); part++)
        i -= shards_of(dataset, part);
    const size_t first = i * dataset->shard_examples, left = dataset->parts[part].count - first;
    struct dataset_shard shard = {.part = (enum dataset_part)part,
                                  .k = i + 1,
                                  .first = first,
                                  .count = left < dataset->shard_examples ? left : dataset->shard_examples};
    if (!dataset->foreign) {
        shard.x = dataset->parts[part].shards[i].x;
        shard.y = dataset->parts[part].shards[i].y;
    }
    return shard;
}

int dataset_check(const struct dataset *dataset, size_t turn, size_t turns, struct err *err)
{
    const size_t count = dataset->foreign ? 0 : dataset_shard_count(dataset);
    int code = 0;
    for (size_t i = turn; i < count && !code; i += turns) {
        const struct dataset_shard shard = dataset_shard(dataset, i);
        CLEANUP(free_ptr) char *x = dataset_file(dataset, 'x', shard.part, shard.k);
        CLEANUP(free_ptr) char *y = dataset_file(dataset, 'y', shard.part, shard.k);
        code = shard_check(x, shard.x.bytes, err);
        if (!code)
            code = shard_check(y, shard.y.bytes, err);
    }
    return code;
}
