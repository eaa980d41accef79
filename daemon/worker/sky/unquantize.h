/* From the integers of a compressed tile to floats (FITS standard 4.0, 10.2 and appendix I), bit for bit as
 * CFITSIO does it. */
#ifndef DECOY_SKY_UNQUANTIZE_H
#define DECOY_SKY_UNQUANTIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct quantizer {
    double scale, zero;
    bool has_blank;
    int32_t blank;   /* stands for no value, which becomes 0 */
    int dither;      /* SUBTRACTIVE_DITHER_1 or _2; 0: none */
    long dither_row; /* of the tile: its number, from 1, plus ZDITHER0 - 1 */
};

/* width x height integers, row after row, into rows of pixels that lie `stride` apart. What is not finite becomes
 * 0. */
void unquantize(const struct quantizer *quantizer, const int32_t *values, long width, long height,
                float *pixels, size_t stride);

#endif
