/* Examples in memory, one after another in the order of the plan: pixels, and beside each stamp's pixels its
 * tail, a hash of them and the packed properties (rows.h). In a spill file the two follow one another, stamp by
 * stamp: a record. */
#ifndef DECOY_SPLIT_BATCH_H
#define DECOY_SPLIT_BATCH_H

#include "common/err.h"
#include "daemon/worker/split/plan.h"

#include <sys/types.h>

struct batch {
    size_t stamp_bytes, tail_bytes; /* the tail: uint64 XXH3 of the pixels, then the row */
    size_t room;                    /* examples it can hold */
    size_t first, count;            /* where they are in plan->examples, when it is a bucket */
    char *pixels, *tails;           /* (room, stamp_bytes), (room, tail_bytes) */
};

/* Bytes of memory that an example takes, the bookkeeping of runs.c included. */
size_t batch_example_bytes(const struct plan *plan);
size_t batch_tail_bytes(const struct plan *plan);

int batch_init(struct batch *batch, const struct plan *plan, size_t room, struct err *err);
void batch_free(struct batch *batch);

size_t batch_record_bytes(const struct batch *batch);
char *batch_pixels(const struct batch *batch, size_t slot);
uint64_t *batch_hash(const struct batch *batch, size_t slot);
char *batch_row(const struct batch *batch, size_t slot);

/* `count` records that lie one after another in a file from `offset` on, from or to the slots given. */
int batch_read(struct batch *batch, int fd, const char *path, off_t offset, const uint32_t *slots,
               size_t count, struct err *err);
int batch_write(const struct batch *batch, int fd, const char *path, off_t offset, size_t count,
                struct err *err); /* slots 0 .. count-1 */

#endif
