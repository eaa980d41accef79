/* See unquantize.h. Dithering takes its numbers from a table of 10,000: tile n begins at 500 times the n-th of
 * them, and at the end of the table goes on at 500 times the next one after the n-th. */
#include "daemon/worker/sky/unquantize.h"

#include <float.h>
#include <math.h>
#include <pthread.h>

enum { RANDOMS = 10000, DITHER_2 = 2, ZERO_VALUE = -2147483646 };

#define INLINE static inline __attribute__((always_inline)) /* into code for whichever processor */

static float randoms[RANDOMS];
static pthread_once_t randoms_made = PTHREAD_ONCE_INIT;

/* Park & Miller's minimal standard generator, in the doubles that appendix I prescribes. */
static void make_randoms(void)
{
    const double a = 16807, m = 2147483647;
    double seed = 1;
    for (int i = 0; i < RANDOMS; i++) {
        seed = a * seed - m * floor(a * seed / m);
        randoms[i] = (float)(seed / m);
    }
}

INLINE float finite_or_zero(float value)
{
    return fabsf(value) <= FLT_MAX ? value : 0;
}

/* count pixels, dithered by as many numbers. With method 2 one integer stands for 0. */
INLINE void undither(const struct quantizer *quantizer, const int32_t *restrict values,
                     const float *restrict random, long count, float *restrict pixels)
{
    const double scale = quantizer->scale, zero = quantizer->zero;
    const int32_t blank = quantizer->blank;
    const bool zeros = quantizer->dither == DITHER_2, blanks = quantizer->has_blank;
    for (long i = 0; i < count; i++) {
        float value = (float)(((double)values[i] - (double)random[i] + 0.5) * scale + zero);
        value = finite_or_zero(value);
        pixels[i] = (zeros & (values[i] == ZERO_VALUE)) | (blanks & (values[i] == blank)) ? 0 : value;
    }
}

INLINE void scale_row(const struct quantizer *quantizer, const int32_t *restrict values, long count,
                      float *restrict pixels)
{
    const double scale = quantizer->scale, zero = quantizer->zero;
    const int32_t blank = quantizer->blank;
    const bool blanks = quantizer->has_blank;
    for (long i = 0; i < count; i++) {
        float value = finite_or_zero((float)((double)values[i] * scale + zero));
        pixels[i] = (blanks & (values[i] == blank)) ? 0 : value;
    }
}

INLINE long start_of(long seed)
{
    return (long)(randoms[seed] * 500);
}

INLINE void convert(const struct quantizer *quantizer, const int32_t *values, long width, long height,
                    float *pixels, size_t stride)
{
    long seed = ((quantizer->dither_row - 1) % RANDOMS + RANDOMS) % RANDOMS, next = start_of(seed);
    for (long y = 0; y < height; y++) {
        const int32_t *from = values + y * width;
        float *to = pixels + (size_t)y * stride;
        if (!quantizer->dither) {
            scale_row(quantizer, from, width, to);
            continue;
        }
        for (long x = 0; x < width;) {
            long some = width - x < RANDOMS - next ? width - x : RANDOMS - next;
            undither(quantizer, from + x, randoms + next, some, to + x);
            x += some;
            next += some;
            if (next == RANDOMS) {
                seed = (seed + 1) % RANDOMS;
                next = start_of(seed);
            }
        }
    }
}

#ifdef __x86_64__
/* Without fused multiply-adds, which would round otherwise. */
__attribute__((target("avx2"))) static void convert_avx2(const struct quantizer *quantizer,
                                                         const int32_t *values, long width, long height,
                                                         float *pixels, size_t stride)
{
    convert(quantizer, values, width, height, pixels, stride);
}
#endif

void unquantize(const struct quantizer *quantizer, const int32_t *values, long width, long height,
                float *pixels, size_t stride)
{
    pthread_once(&randoms_made, make_randoms);
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        convert_avx2(quantizer, values, width, height, pixels, stride);
        return;
    }
#endif
    convert(quantizer, values, width, height, pixels, stride);
}
