/* Shared by dataset.c, column.c and order.c alone. */
#ifndef DECOY_DATASET_PRIVATE_H
#define DECOY_DATASET_PRIVATE_H

#include "daemon/worker/dataset/dataset.h"

enum { DATASET_WINDOW = 8 }; /* shards whose examples are shuffled with one another */

struct shard {
    void *map;
    size_t map_size;
    const float *pixels; /* (count, side, side, channels) */
    size_t count;
};

struct dataset_part_data {
    struct shard *shards;
    size_t shard_count, count;
    uint8_t *labels;
};

struct dataset {
    char *directory;
    json_t *manifest;
    uint64_t fingerprint;
    int stamp, channels;
    size_t shard_examples; /* of every shard but a part's last */
    struct dataset_part_data parts[DATASET_PART_MAX];
};

/* The order of `count` examples in shards of `shard_examples`: see dataset_order. */
void order_fill(size_t count, size_t shard_examples, uint64_t seed, uint64_t epoch, uint64_t *order);

#endif
