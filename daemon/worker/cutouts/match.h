/* Which catalogue row is which injected galaxy, and how far the next source is. Positions in pixels. */
#ifndef DECOY_CUTOUTS_MATCH_H
#define DECOY_CUTOUTS_MATCH_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

struct points {
    size_t count;
    const double *x, *y;
    const bool *usable; /* NULL: all are; others are passed over, as are those that are not finite */
};

/* partner[i]: the row of `to` for row i of `from`, within radius, or -1; separation[i] their distance. One to
 * one: of all pairs the nearest is taken first, then the nearest of those left (equal distances: lower row).
 */
int match_nearest(const struct points *from, const struct points *to, double radius, long *partner,
                  double *separation, struct err *err);

/* distance[i]: from point i to the nearest other usable one; NaN without any. */
int match_neighbours(const struct points *points, double *distance, struct err *err);

#endif
