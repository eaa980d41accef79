/* Pass two of split: shards, each written by one rank from the stamps that the plan put into it. */
#ifndef DECOY_SPLIT_SHARDS_H
#define DECOY_SPLIT_SHARDS_H

#include "common/err.h"
#include "daemon/worker/split/plan.h"

#include <jansson.h>
#include <stdint.h>

/* Pixels held in memory by a rank at a time: a shard is filled in pieces of no more. */
#define SHARDS_BUFFER_BYTES ((size_t)256 << 20)

/* How often a positive pixel of the training part had these upper 17 bits of its float32 (sign 0, exponent 8,
 * mantissa 8), by channel: enough for a median to 0.2 %, the same for any number of ranks. */
enum { HISTOGRAM_BINS = 1 << 16, HISTOGRAM_SHIFT = 15 };

struct histogram {
    int channels;
    uint64_t *counts; /* (channels, HISTOGRAM_BINS) */
};

int histogram_init(struct histogram *histogram, int channels);
void histogram_free(struct histogram *histogram);
void histogram_add(struct histogram *histogram, const float *pixels,
                   size_t count);              /* count pixels of all channels */
double histogram_median(const double *counts); /* of one channel; 0 when nothing was counted */

/* Writes x and y of shard i; *entry is its row of the manifest. */
int shard_publish(const char *directory, const struct plan *plan, size_t i, struct histogram *histogram,
                  json_t **entry, struct err *err);

#endif
