/* Stamps that are byte for byte another one's. In two parts they would let a network be tested on what it was
 * trained on: such a dataset is refused. In one part they are counted. */
#ifndef DECOY_SPLIT_TWINS_H
#define DECOY_SPLIT_TWINS_H

#include "daemon/worker/split/plan.h"
#include "daemon/worker/split/shuffle.h"

/* From the hashes that index_put laid aside; at most buffer_bytes of them in memory at a time. -EEXIST, and a
 * sentence that names two files and rows, when two parts have the same stamp. *twins: stamps that some stamp
 * before them in their part equals. */
int twins_check(const char *aside, const struct plan *plan, const struct shuffle *shuffle,
                size_t buffer_bytes, size_t *twins, struct err *err);

#endif
