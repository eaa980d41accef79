/* Private to net/. Eight pairs of bfloat16 (bf16.h) at once: complex numbers, the real part in the lower half of 32 bits
 * and the imaginary part in the upper one. What our own kernels in bfloat16 are written in; compiled for AVX-512 on x86
 * (meson.build). Other processors' way gives other bits in the last place, and is never taken on x86. */
#ifndef DECOY_NET_PAIRS_H
#define DECOY_NET_PAIRS_H

#include "daemon/worker/net/lanes.h"

#include <stdint.h>

typedef uint32_t pairs __attribute__((vector_size(32)));

enum { PAIR = 2 /* numbers */ };

static inline pairs pairs_load(const uint16_t *from)
{
    pairs value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline void pairs_store(uint16_t *to, pairs value)
{
    memcpy(to, &value, sizeof value);
}

static inline pairs pairs_all(const uint16_t *pair)
{
    uint32_t value;
    memcpy(&value, pair, sizeof value);
    return (pairs){value, value, value, value, value, value, value, value};
}

static inline pairs pairs_exchange(pairs value)
{
    return value << 16 | value >> 16;
}

static inline pairs pairs_negate_real(pairs value)
{
    return value ^ 0x8000u;
}

static inline pairs pairs_negate_imaginary(pairs value)
{
    return value ^ 0x80000000u;
}

static inline lanes pairs_real(pairs value)
{
    return (lanes)(value << 16);
}

static inline lanes pairs_imaginary(pairs value)
{
    return (lanes)(value & 0xffff0000u);
}

#if defined __AVX512BF16__ && defined __AVX512VL__ && defined __AVX512BW__
static inline pairs pairs_round(lanes real, lanes imaginary)
{
    const __m256i order = _mm256_setr_epi16(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
    __m256i apart = (__m256i)_mm256_cvtne2ps_pbh((__m256)imaginary, (__m256)real);
    return (pairs)_mm256_permutexvar_epi16(order, apart);
}

/* sum + the product of the real parts + that of the imaginary parts, each lane for itself, in float32. */
static inline lanes pairs_dot(lanes sum, pairs a, pairs b)
{
    return (lanes)_mm256_dpbf16_ps((__m256)sum, (__m256bh)a, (__m256bh)b);
}
#else
static inline pairs pairs_nearest(lanes value)
{
    pairs bits = (pairs)value;
    return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

static inline pairs pairs_round(lanes real, lanes imaginary)
{
    return pairs_nearest(real) | pairs_nearest(imaginary) << 16;
}

static inline lanes pairs_dot(lanes sum, pairs a, pairs b)
{
    return sum + pairs_imaginary(a) * pairs_imaginary(b) + pairs_real(a) * pairs_real(b);
}
#endif

#endif
