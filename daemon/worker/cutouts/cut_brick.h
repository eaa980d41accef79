/* One item of a cutouts job, from its FITS files to its HDF5 file. */
#ifndef DECOY_CUTOUTS_CUT_BRICK_H
#define DECOY_CUTOUTS_CUT_BRICK_H

#include "daemon/worker/cutouts/cutting.h"

/* Does the item, or finds it done. *report, a new reference: {class, brick, run, path (below out), xxh3,
 * fresh, the counts of manifest.h; seconds, what the time went into; and of an item that is made anew tiles,
 * how many were decompressed of how many}. On failure *fatal says whether the output or the machine is at
 * fault, and not the brick's own files. */
int cut_brick(const struct cutting *cutting, const struct item *item, json_t **report, bool *fatal,
              struct err *err);

#endif
