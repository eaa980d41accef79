/* Private to net/. bfloat16: the upper half of a float32, 8 bits of significand, so that a rounded number is off by
 * 2^-9 of itself at most. Only where engine_has_bf16: a processor with avx512_bf16. */
#ifndef DECOY_NET_BF16_H
#define DECOY_NET_BF16_H

#include <stddef.h>
#include <stdint.h>

/* to[i] = from[i], rounded to the nearest, ties to even; below 2^-126: 0. With a gate, 0 where that is not positive.
 * `to` begins at a multiple of 64 bytes. */
void bf16_round(const float *from, const float *gate, size_t count, uint16_t *to);

#endif
