/* Shards, each written from the examples of a bucket that are in memory. */
#ifndef DECOY_SPLIT_SHARDS_H
#define DECOY_SPLIT_SHARDS_H

#include "daemon/worker/split/batch.h"
#include "daemon/worker/split/histogram.h"

#include <jansson.h>
#include <stdbool.h>

struct shard_style {
    const char *directory;
    bool hdf5;       /* <x,y><part>_<k>.h5 with a dataset x, y; else .npy */
    bool transposed; /* pixels as (x, y, channel), the original's order; else (y, x, channel) */
};

/* Writes x and y of shard i; its pixels are turned in the batch where the style wants it. *entry is the shard's
 * row of the manifest. */
int shard_publish(const struct shard_style *style, const struct plan *plan, struct batch *batch, size_t i,
                  json_t **entry, struct err *err);

/* The training examples among the batch's shard i, counted. */
void shard_count_pixels(const struct plan *plan, const struct batch *batch, size_t i,
                        struct histogram *histogram);

#endif
