/* dataset_order: shards in a random order, then examples shuffled within windows of DATASET_WINDOW shards, so
 * that an epoch reads few files at a time. All of it is a function of (seed, epoch): nothing to save. */
#include "common/rng.h"
#include "daemon/worker/dataset/dataset_private.h"

enum { STREAM_SHARDS = 0x6f726431, STREAM_WINDOW = 0x6f726432 };

/* Indices of a shard's examples to order; returns how many. */
static size_t put_shard(size_t count, size_t shard_examples, uint64_t shard, uint64_t *order)
{
    size_t first = shard * shard_examples;
    size_t items = count - first < shard_examples ? count - first : shard_examples;
    for (size_t i = 0; i < items; i++)
        order[i] = first + i;
    return items;
}

void order_fill(size_t count, size_t shard_examples, uint64_t seed, uint64_t epoch, uint64_t *order)
{
    struct rng rng;
    size_t shards = (count + shard_examples - 1) / shard_examples, done = 0;
    CLEANUP(free_ptr) uint64_t *turn = calloc(shards + 1, sizeof *turn);
    if (!turn)
        abort();
    for (size_t i = 0; i < shards; i++)
        turn[i] = i;
    rng_init(&rng, seed, STREAM_SHARDS, epoch);
    rng_shuffle(&rng, turn, shards);
    for (size_t window = 0; window * DATASET_WINDOW < shards; window++) {
        size_t first = done;
        for (size_t i = window * DATASET_WINDOW; i < shards && i < (window + 1) * DATASET_WINDOW; i++)
            done += put_shard(count, shard_examples, turn[i], order + done);
        rng_init(&rng, seed, STREAM_WINDOW, epoch << 24 ^ window);
        rng_shuffle(&rng, order + first, done - first);
    }
}

void dataset_order(const struct dataset *dataset, enum dataset_part part, uint64_t seed, uint64_t epoch,
                   uint64_t *order)
{
    order_fill(dataset->parts[part].count, dataset->shard_examples, seed, epoch, order);
}
