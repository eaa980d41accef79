/* Which sources of a brick become stamps, and where each lies. */
#ifndef DECOY_CUTOUTS_SELECTION_H
#define DECOY_CUTOUTS_SELECTION_H

#include "daemon/worker/cutouts/stamp.h"
#include "daemon/worker/cutouts/truth.h"
#include "daemon/worker/sky/cuts.h"

struct chosen {
    long row;          /* of the catalogue; -1: it is not measured there */
    long injected;     /* row of the truth; -1 without one */
    double x_px, y_px; /* what the stamp is placed by */
    double ra_deg, dec_deg;
    struct corner corner; /* of the stamp */
    bool edge;            /* part of the stamp lies outside the image */
};

struct selection {
    struct chosen *chosen; /* in the order of the catalogue, or of the truth */
    size_t count;
    size_t
        selected; /* those to be cut; edge of them have a stamp that leaves the image, blank one without data */
    size_t edge, blank;
    size_t *left; /* after each cut; NULL where no cuts apply */
};

/* Measured rows that pass the cuts, placed where they were measured. truth: NULL for reals; for fakes, matched:
 * rows that are no injected galaxy are out before the first cut. pad: a stamp that leaves the image is taken too,
 * where its source lies in the image. The caller ends a selection with
 * selection_free, also after a failure. */
int selection_make(struct selection *selection, struct catalogue *catalogue, const struct truth *truth,
                   const struct cuts *cuts, const struct plane *image, int stamp_px, bool pad,
                   struct err *err);

/* All rows of the truth, placed where it says, whatever was measured of them. */
int selection_take_all(struct selection *selection, const struct truth *truth, const struct plane *image,
                       int stamp_px, bool pad, struct err *err);

/* Drops those marked: their stamps have no data (stamp_covered). */
void selection_drop(struct selection *selection, const bool *blank);
void selection_free(struct selection *selection);

#endif
