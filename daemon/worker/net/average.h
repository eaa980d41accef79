/* Private to net/. Average pooling, forward and backward, as sums by rows and then by columns. A window that
 * hangs over the edge averages what of it lies inside. */
#ifndef DECOY_NET_AVERAGE_H
#define DECOY_NET_AVERAGE_H

#include <stddef.h>

enum { AVERAGE_OUT_MAX = 4096 };

struct average {
    int in_px, out_px, kernel_px, stride_px, pad_px, channels; /* out_px <= AVERAGE_OUT_MAX */
    float *work; /* the caller's: average_work_size floats for each OpenMP thread */
};

size_t average_work_size(const struct average *average);

/* count images (count, in_px, in_px, channels) to (count, out_px, out_px, channels), or derivatives back. */
void average_forward(const struct average *average, const float *in, int count, float *out);
void average_backward(const struct average *average, const float *diff_out, int count, float *diff_in);

#endif
