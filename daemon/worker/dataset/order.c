/* See dataset.h: shards in a random order, then examples shuffled within windows of DATASET_WINDOW shards, so that an
 * epoch reads few files at a time. All of it is a function of (seed, epoch): nothing to save. Rows of a window are
 * counted from the shards before it, of which one may be short: the part's last. */
#include "common/rng.h"
#include "daemon/worker/dataset/dataset_private.h"

#include <errno.h>

enum { STREAM_SHARDS = 0x6f726431, STREAM_WINDOW = 0x6f726432 };
enum { KEPT = 4 }; /* windows: those in hand, and those that are read ahead */

struct window {
    bool made;
    uint64_t number, *examples;
};

struct dataset_order {
    size_t count, shard_examples, shards;
    size_t missing; /* examples that the last shard has less than the others */
    uint64_t seed, epoch;
    uint64_t *turn;      /* what shard comes when */
    uint64_t last_place; /* when the last one does */
    struct window windows[KEPT];
};

int order_create(struct dataset_order **out, size_t count, size_t shard_examples, struct err *err)
{
    CLEANUP(dataset_order_destroy_ptr) struct dataset_order *order = calloc(1, sizeof *order);
    if (!order)
        return err_set(err, -ENOMEM, "out of memory for the order of %zu examples", count);
    order->count = count;
    order->shard_examples = shard_examples;
    order->shards = (count + shard_examples - 1) / shard_examples;
    order->missing = order->shards * shard_examples - count;
    order->turn = calloc(order->shards + 1, sizeof *order->turn);
    bool there = order->turn;
    for (int i = 0; i < KEPT && there; i++) {
        order->windows[i].examples = calloc(DATASET_WINDOW * shard_examples, sizeof(uint64_t));
        there = order->windows[i].examples;
    }
    if (!there)
        return err_set(err, -ENOMEM, "out of memory for the order of %zu examples", count);
    dataset_order_begin(order, 0, 0);
    *out = TAKE(order);
    return 0;
}

int dataset_order_create(struct dataset_order **out, const struct dataset *dataset, enum dataset_part part,
                         struct err *err)
{
    return order_create(out, dataset->parts[part].count, dataset->shard_examples, err);
}

void dataset_order_destroy(struct dataset_order *order)
{
    if (!order)
        return;
    for (int i = 0; i < KEPT; i++)
        free(order->windows[i].examples);
    free(order->turn);
    free(order);
}

void dataset_order_begin(struct dataset_order *order, uint64_t seed, uint64_t epoch)
{
    struct rng rng;
    order->seed = seed;
    order->epoch = epoch;
    for (size_t i = 0; i < order->shards; i++)
        order->turn[i] = i;
    rng_init(&rng, seed, STREAM_SHARDS, epoch);
    rng_shuffle(&rng, order->turn, order->shards);
    for (size_t i = 0; i < order->shards; i++)
        order->last_place = order->turn[i] == order->shards - 1 ? i : order->last_place;
    for (int i = 0; i < KEPT; i++)
        order->windows[i].made = false;
}

/* The row that a window begins with. */
static uint64_t first_row(const struct dataset_order *order, uint64_t window)
{
    const uint64_t shards = window * DATASET_WINDOW;
    return shards * order->shard_examples - (order->last_place < shards ? order->missing : 0);
}

static uint64_t window_of(const struct dataset_order *order, uint64_t row)
{
    const uint64_t size = DATASET_WINDOW * order->shard_examples, window = row / size;
    return row < first_row(order, window + 1) ? window : window + 1; /* the short shard may end it early */
}

static void make(const struct dataset_order *order, struct window *window, uint64_t number)
{
    struct rng rng;
    size_t done = 0;
    const uint64_t end = (number + 1) * DATASET_WINDOW;
    for (uint64_t i = number * DATASET_WINDOW; i < end && i < order->shards; i++) {
        const uint64_t first = order->turn[i] * order->shard_examples;
        for (uint64_t k = first; k < first + order->shard_examples && k < order->count; k++)
            window->examples[done++] = k;
    }
    rng_init(&rng, order->seed, STREAM_WINDOW, order->epoch << 24 ^ number);
    rng_shuffle(&rng, window->examples, done);
    window->number = number;
    window->made = true;
}

uint64_t dataset_order_at(struct dataset_order *order, uint64_t row)
{
    const uint64_t number = window_of(order, row);
    struct window *window = &order->windows[number % KEPT];
    if (!window->made || window->number != number)
        make(order, window, number);
    return window->examples[row - first_row(order, number)];
}
