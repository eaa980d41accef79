/* Shared by dataset.c, shard.c, stream.c, foreign.c, column.c and order.c alone. */
#ifndef DECOY_DATASET_PRIVATE_H
#define DECOY_DATASET_PRIVATE_H

#include "daemon/worker/dataset/dataset.h"

enum { DATASET_WINDOW = 8 }; /* shards whose examples are shuffled with one another */
enum { DATASET_BRICK_WIDTH = 24 };

struct shard {
    char *path;
    void *map;
    size_t map_size;
    const float *pixels; /* (count, side, side, channels) */
    size_t first, count; /* of the part's examples */
};

struct dataset_part_data {
    struct shard *shards;
    size_t shard_count, count;
    uint8_t *labels;
    char (*bricks)[DATASET_BRICK_WIDTH]; /* of each shard of a foreign dataset; NULL in one of ours */
};

struct dataset {
    char *directory;
    json_t *manifest;
    uint64_t fingerprint;
    int stamp, channels;
    size_t
        shard_examples; /* of every shard but a part's last; in a foreign dataset, of none that is a file */
    bool hdf5, transposed, foreign;
    struct dataset_part_data parts[DATASET_PART_MAX];
};

/* Maps a file of pixels, float32 of the sizes given, into shard; bytes: its size, 0 when nobody knows. What is
 * mapped is let go by shard_unmap, also after an error. */
int shard_map(struct shard *shard, const char *path, size_t bytes, const size_t sizes[4], struct err *err);
void shard_unmap(struct shard *shard);

/* That of example i. */
const struct shard *dataset_find_shard(const struct dataset *dataset, enum dataset_part part, size_t i);

/* A file of `count` labels, 0 or 1 as any number type. */
int shard_read_labels(const char *path, size_t bytes, size_t count, uint8_t *labels, struct err *err);

/* foreign.c: dataset->directory has no manifest. Fills all but the fingerprint. */
int foreign_open(struct dataset *dataset, struct err *err);

/* The order of `count` examples in shards of `shard_examples`: see dataset_order. */
void order_fill(size_t count, size_t shard_examples, uint64_t seed, uint64_t epoch, uint64_t *order);

#endif
