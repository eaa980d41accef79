/* Where a stamp lies, for reals and fakes alike, and its pixels. */
#ifndef DECOY_CUTOUTS_STAMP_H
#define DECOY_CUTOUTS_STAMP_H

#include "daemon/worker/sky/plane.h"

#include <stdbool.h>

#define STAMP_PLACEMENT                                                                                      \
    "columns int(x)-stamp/2 .. int(x)+stamp/2-1 and rows likewise; x, y are bx, by, 0-indexed"

struct corner {
    long x, y; /* the stamp's first column and row, 0-indexed, in the brick's image */
};

/* The one placement rule. False when the stamp leaves the image; *corner then counts only for a source that lies in
 * it (stamp_owned). */
bool stamp_place(double x_px, double y_px, int stamp_px, long width_px, long height_px,
                 struct corner *corner);

/* Does the image hold the source's own pixel? */
bool stamp_owned(double x_px, double y_px, long width_px, long height_px);

/* Copies `width` pixels of each channel's row into a stamp's row of (width, channels) floats. */
void stamp_interleave(const float *const *rows, int channels, long width, float *to);

/* Has each band data somewhere in a (stamp, stamp, channels) image? Its invvar is every second channel. */
bool stamp_covered(const float *image, int stamp_px, int channels);

#endif
