/* index.h5: one row an example, in the order of the plan. */
#ifndef DECOY_SPLIT_INDEX_H
#define DECOY_SPLIT_INDEX_H

#include "daemon/worker/split/plan.h"
#include "daemon/worker/split/scan.h"

/* Columns split, shard, row, label, then every column of the cutout files; where a file lacks one: NaN, 0 or
 * "". */
int index_publish(const char *directory, const struct scan *scan, const struct plan *plan, struct err *err);

#endif
