/* Shared by dataset.c, examples.c, cache.c, shard.c, stream.c, foreign.c, column.c and order.c alone. */
#ifndef DECOY_DATASET_PRIVATE_H
#define DECOY_DATASET_PRIVATE_H

#include "daemon/worker/dataset/dataset.h"

#include <pthread.h>

enum { DATASET_WINDOW = 8 }; /* shards whose examples are shuffled with one another */
enum { DATASET_BRICK_WIDTH = 24 };

struct shard {
    char *path; /* of its pixels, owned; NULL: dataset_shard_path's */
    struct dataset_file x, y;
    size_t first, count; /* of the part's examples */
    void *map;           /* NULL while it is not mapped */
    size_t map_size;
    const float *pixels; /* (count, side, side, channels) */
    bool labelled;       /* its labels are in those of the part */
};

struct dataset_part_data {
    struct shard *shards;
    size_t shard_count, count;
    uint8_t *labels;
    char (*bricks)[DATASET_BRICK_WIDTH]; /* of each shard of a foreign dataset; NULL in one of ours */
};

struct dataset {
    char *directory;
    char *cache; /* where copies of its shards may be; NULL: nowhere */
    json_t *manifest;
    uint64_t fingerprint;
    int stamp, channels;
    size_t
        shard_examples; /* of every shard but a part's last; in a foreign dataset, of none that is a file */
    bool hdf5, transposed, foreign;
    bool sham; /* labels are drawn by lot */
    uint64_t sham_seed;
    struct dataset_part_data parts[DATASET_PART_MAX];

    pthread_mutex_t lock;                 /* of what follows, and of shards' maps and labels */
    struct shard *mapped[DATASET_MAPPED]; /* a ring */
    size_t mapped_next;
};

/* Whether a file is there, with so many bytes. */
int shard_check(const char *path, size_t bytes, struct err *err);

/* Maps a file of pixels, float32 of the sizes given, into shard; bytes: its size, 0 when nobody knows. What is
 * mapped is let go by shard_unmap, also after an error. */
int shard_map(struct shard *shard, const char *path, size_t bytes, const size_t sizes[4], struct err *err);
void shard_unmap(struct shard *shard);

/* A file of `count` labels, 0 or 1 as any number type. */
int shard_read_labels(const char *path, size_t bytes, size_t count, uint8_t *labels, struct err *err);

/* cache.c: the copy of a shard's pixels, there or not; the caller's to free. */
char *cache_path(const struct dataset *dataset, enum dataset_part part, size_t k);

/* examples.c: the shard of example i, mapped, and the byte of its file of pixels at which it begins; NULL: an error. */
const struct shard *shard_of(struct dataset *dataset, enum dataset_part part, size_t i, size_t *offset,
                             struct err *err);

/* examples.c: the path of the x or y file of a shard; the caller's to free. */
char *shard_path(const struct dataset *dataset, char which, enum dataset_part part,
                 const struct shard *shard);

/* foreign.c: dataset->directory has no manifest. Fills all but the fingerprint. */
int foreign_open(struct dataset *dataset, struct err *err);

/* order.c: dataset_order_create without a dataset. */
int order_create(struct dataset_order **out, size_t count, size_t shard_examples, struct err *err);

#endif
