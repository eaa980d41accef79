/* Private to net/: the loops of input.c over planes of one channel each. Every copy of them (they are compiled for
 * several widths of vectors) gives the same bits. */
#ifndef DECOY_NET_PIXELS_H
#define DECOY_NET_PIXELS_H

#include <stddef.h>

/* (count, channels) to planes of count values that begin `stride` apart, and back. */
void pixels_part(const float *pixels, size_t count, int channels, float *planes, size_t stride);
void pixels_join(const float *planes, size_t stride, size_t count, int channels, float *pixels);

/* What cannot be trusted becomes invvar 0 and image 0. from_image NULL: counts as 0; from_invvar NULL: as 1. */
void pixels_clean(const float *from_image, const float *from_invvar, size_t count, float *image,
                  float *invvar);

/* The median of the positive ones, of an even number the lower middle one; 0 where there is none. No value is NaN. */
float pixels_median(const float *values, size_t count);

/* In place: times factor, plus offset. */
void pixels_scale(float *values, size_t count, float factor, float offset);

/* In place: asinh(x) / 2, to 2e-7 absolute. |x| above 1e15 counts as 1e15. */
void pixels_half_asinh(float *values, size_t count);

#endif
