/* Which stamp becomes which example: decided on rank 0 from the scan alone, then known to every rank. 8 bytes
 * an example (60 million: 480 MB a rank); pixels are never held here. */
#ifndef DECOY_SPLIT_PLAN_H
#define DECOY_SPLIT_PLAN_H

#include "daemon/worker/dataset/dataset.h"
#include "daemon/worker/split/scan.h"
#include "daemon/worker/team.h"

#include <stdbool.h>

struct plan_source {
    char *path;
    uint8_t label;
};

enum { PART_NONE = 255 }; /* of a stamp that goes to no part */

struct plan {
    int stamp, channels;
    size_t shard_examples;
    struct plan_source *sources;
    size_t source_count;
    struct row_layout rows;
    size_t counts[DATASET_PART_MAX];             /* examples a part */
    size_t kept[DATASET_PART_MAX][CLASS_MAX];    /* of them by class; on rank 0 */
    size_t dropped[DATASET_PART_MAX][CLASS_MAX]; /* surplus left out; on rank 0 */
    uint64_t *examples; /* source << 32 | row, parts one after the other, in their order */
    size_t total;
};

/* parts: of each stamp, an enum dataset_part or PART_NONE. with_test: a test part is
 * wanted. balanced: as many of one class as of the other of each brick in a part. -EINVAL when the training or test
 * part has no example of a class. Takes scan->rows. */
int plan_make(struct plan *plan, struct scan *scan, const uint8_t *parts, bool balanced, bool with_test,
              uint64_t seed, size_t shard_examples, struct err *err);
int plan_share(struct plan *plan, struct team *team,
               struct err *err);   /* rank 0's to the others; collective */
void plan_free(struct plan *plan); /* its contents */

struct plan_shard {
    enum dataset_part part;
    size_t k;            /* from 1 */
    size_t first, count; /* of plan->examples */
};

size_t plan_shard_count(const struct plan *plan);
struct plan_shard plan_shard(const struct plan *plan, size_t i);
size_t plan_stamp_bytes(const struct plan *plan);

static inline uint32_t plan_source_of(uint64_t example)
{
    return (uint32_t)(example >> 32);
}

static inline uint32_t plan_row_of(uint64_t example)
{
    return (uint32_t)example;
}

#endif
