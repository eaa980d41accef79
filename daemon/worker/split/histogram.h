/* How often a positive pixel of the training part had these upper 17 bits of its float32 (sign 0, exponent 8,
 * mantissa 8), by channel: enough for a median to 0.2 %, the same for any number of ranks. */
#ifndef DECOY_SPLIT_HISTOGRAM_H
#define DECOY_SPLIT_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BINS = 1 << 16, HISTOGRAM_SHIFT = 15 };

struct histogram {
    int channels;
    uint64_t *counts; /* (channels, HISTOGRAM_BINS) */
};

int histogram_init(struct histogram *histogram, int channels);
void histogram_free(struct histogram *histogram);
void histogram_add(struct histogram *histogram, const float *pixels,
                   size_t count);              /* count pixels of all channels */
double histogram_median(const double *counts); /* of one channel; 0 when nothing was counted */

#endif
