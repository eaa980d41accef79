/* Private to net/. Eight floats at once: what our own kernels are written in. Compiled for AVX2 and FMA on
 * x86 (meson.build); layer_kernels_suit says whether the processor has them. */
#ifndef DECOY_NET_LANES_H
#define DECOY_NET_LANES_H

#include <string.h>

enum { LANES = 8 };

typedef float lanes __attribute__((vector_size(32)));

static inline lanes lanes_load(const float *from)
{
    lanes value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline void lanes_store(float *to, lanes value)
{
    memcpy(to, &value, sizeof value);
}

static inline lanes lanes_all(float value)
{
    return (lanes){value, value, value, value, value, value, value, value};
}

/* The first `count` of them, 0 <= count <= 8: what lies behind is neither read nor written. (A masked store is
 * microcode on AMD's processors.) */
static inline void lanes_store_first(float *to, lanes value, int count)
{
    int at = 0;
    if (count & 8) {
        lanes_store(to, value);
        return;
    }
    if (count & 4) {
        memcpy(to, &value, 16);
        at = 4;
    }
    if (count & 2) {
        memcpy(to + at, (const char *)&value + 4 * at, 8);
        at += 2;
    }
    if (count & 1)
        memcpy(to + at, (const char *)&value + 4 * at, 4);
}

#if defined __AVX2__ && defined __FMA__
#include <immintrin.h>

/* To memory and past the caches, for what will have left them before it is read: nothing is fetched to be overwritten.
 * `to` is a multiple of 32 bytes. Other threads see it after lanes_end_far. */
static inline void lanes_store_far(float *to, lanes value)
{
    _mm256_stream_ps(to, (__m256)value);
}

static inline void lanes_end_far(void)
{
    _mm_sfence();
}

static inline __m256i lanes_mask(int count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline lanes lanes_load_first(const float *from, int count)
{
    return (lanes)_mm256_maskload_ps(from, lanes_mask(count));
}

/* a b + c and c - a b with one rounding: written out, so that every copy of a kernel gives the same bits. */
static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return (lanes)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

static inline lanes lanes_fnma(lanes a, lanes b, lanes c)
{
    return (lanes)_mm256_fnmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
#else
static inline void lanes_store_far(float *to, lanes value)
{
    lanes_store(to, value);
}

static inline void lanes_end_far(void)
{
}

static inline lanes lanes_load_first(const float *from, int count)
{
    lanes value = {0};
    memcpy(&value, from, (size_t)count * sizeof *from);
    return value;
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return a * b + c;
}

static inline lanes lanes_fnma(lanes a, lanes b, lanes c)
{
    return c - a * b;
}
#endif

#endif
