/* index.h5: one row an example, in the order of the plan. Rows come with the buckets of the shuffle: each rank
 * puts those of a bucket aside (index_put), and rank 0 makes columns of them at the end, a bucket in memory at a
 * time. */
#ifndef DECOY_SPLIT_INDEX_H
#define DECOY_SPLIT_INDEX_H

#include "daemon/worker/split/batch.h"
#include "daemon/worker/split/shuffle.h"

/* The tails of the bucket in the batch, to a file of `aside`. */
int index_put(const char *aside, const struct batch *batch, size_t bucket, struct err *err);

/* Those tails again, as a batch without pixels; its contents are the caller's (batch_free), also on error. */
int index_take(const char *aside, const struct plan *plan, const struct shuffle *shuffle, size_t bucket,
               struct batch *batch, struct err *err);

/* Columns split, shard, row, label, then every column of the files of stamps. */
int index_publish(const char *directory, const char *aside, const struct plan *plan,
                  const struct shuffle *shuffle, struct err *err);

#endif
