/* Which rows of a brick's catalogue become stamps, and where each lies. */
#ifndef DECOY_CUTOUTS_SELECTION_H
#define DECOY_CUTOUTS_SELECTION_H

#include "daemon/worker/cutouts/stamp.h"
#include "daemon/worker/cutouts/truth.h"
#include "daemon/worker/sky/cuts.h"

struct chosen {
    size_t row;           /* of the catalogue */
    long injected;        /* row of the truth, -1 for a real galaxy */
    struct corner corner; /* of the stamp */
};

struct selection {
    struct chosen *chosen; /* in the order of the catalogue */
    size_t count;
    size_t selected; /* rows that pass the cuts; edge of them have a stamp that leaves the image */
    size_t edge;
    size_t *left; /* after each cut */
};

/* truth: NULL for reals; for fakes, matched: rows that are no injected galaxy are out before the first cut.
 * The caller ends it with selection_free, also after a failure. */
int selection_make(struct selection *selection, struct catalogue *catalogue, const struct truth *truth,
                   const struct cuts *cuts, const struct plane *image, int stamp_px, struct err *err);
void selection_free(struct selection *selection);

#endif
