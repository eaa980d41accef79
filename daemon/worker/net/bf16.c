/* See bf16.h. Compiled for AVX-512 (meson.build). */
#include "daemon/worker/net/bf16.h"

#include <string.h>

#if defined __AVX512BF16__
#include <immintrin.h>

enum { WIDTH = 16 };

static inline __attribute__((always_inline)) __m256i round_some(const float *from, const float *gate,
                                                                __mmask16 some)
{
    if (gate)
        some =
            _mm512_mask_cmp_ps_mask(some, _mm512_maskz_loadu_ps(some, gate), _mm512_setzero_ps(), _CMP_GT_OQ);
    return (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(some, from));
}

void bf16_round(const float *from, const float *gate, size_t count, uint16_t *to)
{
    size_t whole = count / WIDTH;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < whole; i++)
        _mm256_store_si256((__m256i *)(to + i * WIDTH),
                           round_some(from + i * WIDTH, gate ? gate + i * WIDTH : NULL, 0xffff));
    size_t at = whole * WIDTH;
    __mmask16 rest = (__mmask16)((1u << (count - at)) - 1);
    _mm256_mask_storeu_epi16(to + at, rest, round_some(from + at, gate ? gate + at : NULL, rest));
}
#else
void bf16_round(const float *from, const float *gate, size_t count, uint16_t *to)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, from + i, sizeof bits);
        bits = gate && !(gate[i] > 0) ? 0 : bits + 0x7fffu + (bits >> 16 & 1u);
        to[i] = (uint16_t)(bits >> 16);
    }
}
#endif
