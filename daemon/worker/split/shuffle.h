/* How stamps get from their files into a random order with a bounded buffer and sequential reads and writes:
 * two passes, by claims of the ranks.
 *
 * Pass 1. The stamps that were chosen, in the order of their files, are parted into runs of what a buffer
 * holds. A run is read from start to end (shuffle_gather) and each stamp put at its place in the order of the
 * plan; the run, sorted so, is one spill file (shuffle_spill), written from start to end.
 * Pass 2. The shards are parted into buckets of what a buffer holds. The stamps of a bucket lie together in
 * each run: as many pieces are read as there are runs (shuffle_load), and the bucket is there in its order.
 *
 * With a set of S bytes and a buffer of B, there are S/B runs and as many buckets, and a piece has B^2/S bytes:
 * 54 MB for 20 GB by 1 GiB; 5.9 TB wants a buffer of 16 GiB (50 MB) rather than of 1 GiB (0.2 MB). A set that
 * fits in one buffer is one run, which is the one bucket too: nothing is spilled. The order is the plan's: what
 * comes out is the same whatever the buffer and the number of ranks.
 *
 * Disk: the dataset's size once more at the end of pass 1; pieces that were read are given back to the file
 * system as pass 2 goes, where it can (Linux: fallocate with FALLOC_FL_PUNCH_HOLE). */
#ifndef DECOY_SPLIT_SHUFFLE_H
#define DECOY_SPLIT_SHUFFLE_H

#include "common/cleanup.h"
#include "daemon/worker/split/batch.h"

struct shuffle;

/* Allocates the buffer, at most buffer_bytes; directory is where spill files go and is there once something is
 * spilled. -EINVAL when one shard is more than the buffer and the set does not fit in it. */
int shuffle_create(struct shuffle **out, const struct plan *plan, size_t buffer_bytes, int ranks,
                   const char *directory, struct err *err);
void shuffle_destroy(struct shuffle *shuffle);
CLEANUP_DEFINE(shuffle_destroy_ptr, struct shuffle, shuffle_destroy)

size_t shuffle_runs(const struct shuffle *shuffle);
size_t shuffle_buckets(const struct shuffle *shuffle);

/* The shards of a bucket: first .. first+count-1. */
void shuffle_bucket_shards(const struct shuffle *shuffle, size_t bucket, size_t *first, size_t *count);

/* What is in the buffer after shuffle_gather or shuffle_load; borrowed. */
struct batch *shuffle_batch(struct shuffle *shuffle);

int shuffle_gather(struct shuffle *shuffle, size_t run, struct err *err);
int shuffle_spill(struct shuffle *shuffle, size_t run, struct err *err);

/* Buckets in ascending order, with others in between left to other ranks. */
int shuffle_load(struct shuffle *shuffle, size_t bucket, struct err *err);

#endif
