/* The sum of the FITS checksum convention (FITS standard 4.0, appendix J): big-endian words of 32 bits, in ones'
 * complement. */
#ifndef DECOY_SKY_DATASUM_H
#define DECOY_SKY_DATASUM_H

#include <stddef.h>
#include <stdint.h>

/* The sum so far, 0 at first, and `size` bytes more, a multiple of 4 of at most 16 GiB. */
uint32_t datasum(uint32_t so_far, const uint8_t *bytes, size_t size);

#endif
