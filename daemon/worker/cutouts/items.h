/* The items of a cutouts job. */
#ifndef DECOY_CUTOUTS_ITEMS_H
#define DECOY_CUTOUTS_ITEMS_H

#include "daemon/worker/cutouts/cutting.h"

/* Every rank gets the same items, largest first. They share the looking: each lists the groups (coadd/<AAA>)
 * of its own, so that the metadata server of a shared file system is asked once for each thing, by all ranks
 * together. list: NULL, or the text file of names to keep (brick_names.h). Collective; the array is the
 * caller's. *orphans: bricks of the survey for which the simulation has no run, or the user no catalogue.
 * Fails on all ranks alike. */
int items_make(const struct cutting *cutting, bool real, bool fake, const char *list, struct item **items,
               size_t *count, size_t *orphans, struct err *err);

#endif
