/* Rice-compressed tiles (FITS standard 4.0, 10.4.1; Rice, Yeh & Miller 1993). Decoded here because CFITSIO's
 * decoder reads on past the end of a damaged tile, and because this is what cutting stamps takes most time
 * for. */
#ifndef DECOY_SKY_RICE_H
#define DECOY_SKY_RICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RICE_PADDING = 8 }; /* bytes behind a tile that may be read, whatever they are */

/* Decodes `pixels` pixels of 1, 2 or 4 bytes, coded in blocks of `block`, from `size` bytes followed by
 * RICE_PADDING readable ones. 1 byte is unsigned, 2 and 4 are signed. False when the bytes do not hold the codes
 * of that many; values, which has room for them, then holds anything. */
bool rice_decode(const uint8_t *data, size_t size, size_t pixels, int block, int bytes_per_pixel,
                 int32_t *values);

#endif
