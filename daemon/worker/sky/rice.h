/* Rice-compressed tiles (FITS standard 4.0, 10.4.1; Rice, Yeh & Miller 1993), walked through but not decoded.
 * CFITSIO's decoder reads on past the end of a damaged tile; one that passes here keeps it within its bytes.
 */
#ifndef DECOY_SKY_RICE_H
#define DECOY_SKY_RICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Do `size` bytes hold the codes of `pixels` pixels of 1, 2 or 4 bytes, coded in blocks of `block`? */
bool rice_complete(const uint8_t *data, size_t size, size_t pixels, int block, int bytes_per_pixel);

#endif
