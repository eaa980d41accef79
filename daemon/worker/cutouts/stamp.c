/* See stamp.h. */
#include "daemon/worker/cutouts/stamp.h"

#include <math.h>

#define FAR_PX 1e6 /* beyond any image, and within what a long holds */

bool stamp_place(double x_px, double y_px, int stamp_px, long width_px, long height_px, struct corner *corner)
{
    if (!(fabs(x_px) < FAR_PX && fabs(y_px) < FAR_PX))
        return false;
    corner->x = (long)x_px - stamp_px / 2;
    corner->y = (long)y_px - stamp_px / 2;
    return corner->x >= 0 && corner->y >= 0 && corner->x + stamp_px <= width_px &&
           corner->y + stamp_px <= height_px;
}

bool stamp_owned(double x_px, double y_px, long width_px, long height_px)
{
    return x_px > -1 && y_px > -1 && x_px < (double)width_px && y_px < (double)height_px;
}

/* Inlined where channels is a constant: then its loop is none. */
static inline void interleave(const float *const *rows, int channels, long width, float *restrict to)
{
    for (long x = 0; x < width; x++) {
        for (int c = 0; c < channels; c++)
            to[x * channels + c] = rows[c][x];
    }
}

void stamp_interleave(const float *const *rows, int channels, long width, float *to)
{
    switch (channels) {
    case 2:
        interleave(rows, 2, width, to);
        break;
    case 6:
        interleave(rows, 6, width, to);
        break;
    case 8:
        interleave(rows, 8, width, to);
        break;
    default:
        interleave(rows, channels, width, to);
    }
}

bool stamp_covered(const float *image, int stamp_px, int channels)
{
    const int numbers = stamp_px * stamp_px * channels;
    for (int channel = 1; channel < channels; channel += 2) {
        int i = channel;
        while (i < numbers && !(image[i] > 0))
            i += channels;
        if (i >= numbers)
            return false;
    }
    return true;
}
