/* See histogram.h. */
#include "daemon/worker/split/histogram.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int histogram_init(struct histogram *histogram, int channels)
{
    histogram->channels = channels;
    histogram->counts = calloc((size_t)channels * HISTOGRAM_BINS, sizeof *histogram->counts);
    return histogram->counts ? 0 : -ENOMEM;
}

void histogram_free(struct histogram *histogram)
{
    free(histogram->counts);
    histogram->counts = NULL;
}

void histogram_add(struct histogram *histogram, const float *pixels, size_t count)
{
    const size_t channels = (size_t)histogram->channels;
    for (size_t i = 0; i < count; i++) {
        for (size_t c = 0; c < channels; c++) {
            float value = pixels[i * channels + c];
            uint32_t bits;
            memcpy(&bits, &value, sizeof bits);
            histogram->counts[c * HISTOGRAM_BINS + (bits >> HISTOGRAM_SHIFT & (HISTOGRAM_BINS - 1))] +=
                value > 0;
        }
    }
}

static double bin_edge(size_t bin)
{
    uint32_t bits = (uint32_t)bin << HISTOGRAM_SHIFT;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double histogram_median(const double *counts)
{
    double total = 0, below = 0;
    for (size_t bin = 0; bin < HISTOGRAM_BINS; bin++)
        total += counts[bin];
    for (size_t bin = 0; bin < HISTOGRAM_BINS && total > 0; bin++) {
        if (below + counts[bin] >= total / 2 && counts[bin] > 0) {
            double low = bin_edge(bin), high = bin + 1 < HISTOGRAM_BINS ? bin_edge(bin + 1) : low;
            return isfinite(high) ? low + (high - low) * (total / 2 - below) / counts[bin] : low;
        }
        below += counts[bin];
    }
    return 0;
}
