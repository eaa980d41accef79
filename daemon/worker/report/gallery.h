/* Galleries, the document's Figure 1: rows of examples, each a colour stamp, then every band, then every
 * invvar, with its class (R or F) and magnitude beside. */
#ifndef DECOY_REPORT_GALLERY_H
#define DECOY_REPORT_GALLERY_H

#include "daemon/worker/report/stamp.h"

struct gallery_example {
    const float *pixels; /* NULL: an empty place */
    int fake;
    double mag;            /* NaN: not shown */
    double score;          /* P(fake); NaN: not shown */
    const float *gradient; /* NULL: no maps of it */
};

/* band: what mag is the magnitude of. `rows` rows of `columns` examples each, examples[row * columns + column]; those of a row share their scale.
 * All with gradients, or none. -ENOMEM. */
int gallery_draw(struct picture **out, const struct stamp_layout *layout, const char *band,
                 const struct gallery_example *examples, int rows, int columns, struct err *err);

#endif
