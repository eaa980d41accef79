/* The items of a cutouts job. */
#ifndef DECOY_CUTOUTS_ITEMS_H
#define DECOY_CUTOUTS_ITEMS_H

#include "daemon/worker/cutouts/cutting.h"

/* Every rank gets the same items, largest first; only rank 0 looks for them, the others may read their count
 * and bytes from it. Collective; the array is the caller's. *orphans: bricks of the survey for which the
 * simulation has no run. Fails on all ranks alike. */
int items_make(const struct cutting *cutting, bool real, bool fake, const char *list, struct item **items,
               size_t *count, size_t *orphans, struct err *err);

#endif
