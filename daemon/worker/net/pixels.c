/* See pixels.h. No sum is contracted to a fused one (meson.build), so that the width of vectors changes no bit. */
#include "daemon/worker/net/pixels.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Clang before 17 gives a cloned function a name of its own, which no other file finds. */
#if defined __x86_64__ && defined __gnu_linux__ && !(defined __clang__ && __clang_major__ < 17)
#define WIDEST __attribute__((target_clones("avx2", "default")))
#else
#define WIDEST
#endif

enum { SQUARE = 4, BINS_LOG2 = 11, BINS = 1 << BINS_LOG2 };

typedef float four __attribute__((vector_size(16)));

static inline four load(const float *from)
{
    four value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline void store(float *to, four value)
{
    memcpy(to, &value, sizeof value);
}

/* from rows of one stride to rows of another: four columns of four values each. */
static inline void transpose(const float *from, size_t from_stride, float *to, size_t to_stride)
{
    four a = load(from), b = load(from + from_stride), c = load(from + 2 * from_stride),
         d = load(from + 3 * from_stride);
    four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5),
         ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5),
         cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    store(to, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
    store(to + to_stride, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
    store(to + 2 * to_stride, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
    store(to + 3 * to_stride, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}

/* The first of four columns of which the last is at most the last there is: the last two squares may overlap. */
static inline size_t square_at(size_t column, size_t columns)
{
    return column + SQUARE <= columns ? column : columns - SQUARE;
}

void pixels_part(const float *pixels, size_t count, int channel_count, float *planes, size_t stride)
{
    size_t channels = (size_t)channel_count, i = 0;
    for (; channels >= SQUARE && i + SQUARE <= count; i += SQUARE) {
        for (size_t c = 0; c < channels; c += SQUARE) {
            size_t at = square_at(c, channels);
            transpose(pixels + i * channels + at, channels, planes + at * stride + i, stride);
        }
    }
    for (; i < count; i++) {
        for (size_t c = 0; c < channels; c++)
            planes[c * stride + i] = pixels[i * channels + c];
    }
}

void pixels_join(const float *planes, size_t stride, size_t count, int channel_count, float *pixels)
{
    size_t channels = (size_t)channel_count, i = 0;
    for (; channels >= SQUARE && i + SQUARE <= count; i += SQUARE) {
        for (size_t c = 0; c < channels; c += SQUARE) {
            size_t at = square_at(c, channels);
            transpose(planes + at * stride + i, stride, pixels + i * channels + at, channels);
        }
    }
    for (; i < count; i++) {
        for (size_t c = 0; c < channels; c++)
            pixels[i * channels + c] = planes[c * stride + i];
    }
}

WIDEST void pixels_clean(const float *from_image, const float *from_invvar, size_t count,
                         float *restrict image, float *restrict invvar)
{
    for (size_t i = 0; i < count; i++) {
        float x = from_image ? from_image[i] : 0, v = from_invvar ? from_invvar[i] : 1;
        bool good = (v > 0) & (v <= 3e38f) & (fabsf(x) <= 3e38f);
        invvar[i] = good ? v : 0;
        image[i] = good ? x : 0;
    }
}

static inline uint32_t bits_of(const float *value)
{
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    return bits;
}

/* The positive ones, one after the other: `values` itself where all are. */
WIDEST static const float *take_positive(const float *values, size_t count, float *work, size_t *good)
{
    uint32_t others = 0;
    *good = count;
    for (size_t i = 0; i < count; i++)
        others |= !(values[i] > 0);
    if (!others)
        return values;
    *good = 0;
    for (size_t i = 0; i < count; i++) {
        work[*good] = values[i];
        *good += values[i] > 0;
    }
    return work;
}

WIDEST static void find_range(const float *values, size_t count, uint32_t *low, uint32_t *high)
{
    uint32_t least = UINT32_MAX, most = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = bits_of(&values[i]);
        least = bits < least ? bits : least;
        most = bits > most ? bits : most;
    }
    *low = least;
    *high = most;
}

/* Neighbours, which are often alike, are counted in different tables: none waits for the other's count. */
static uint32_t find_bin(const float *values, size_t count, uint32_t low, int shift, size_t *k)
{
    uint32_t counts[2][BINS] = {{0}}, bin = 0;
    for (size_t i = 0; i + 1 < count; i += 2) {
        counts[0][(bits_of(&values[i]) - low) >> shift]++;
        counts[1][(bits_of(&values[i + 1]) - low) >> shift]++;
    }
    if (count % 2)
        counts[0][(bits_of(&values[count - 1]) - low) >> shift]++;
    for (; *k >= counts[0][bin] + counts[1][bin]; bin++)
        *k -= counts[0][bin] + counts[1][bin];
    return bin;
}

/* What is in a bin, to `kept`, which may be `values`; how many. Most runs of values have none in it. */
WIDEST static size_t keep_bin(const float *values, size_t count, uint32_t low, int shift, uint32_t bin,
                              float *kept)
{
    enum { RUN = 64 };
    size_t size = 0;
    for (size_t first = 0; first < count; first += RUN) {
        size_t end = first + RUN < count ? first + RUN : count;
        uint32_t any = 0;
        for (size_t i = first; i < end; i++)
            any |= (bits_of(&values[i]) - low) >> shift == bin;
        for (size_t i = first; any && i < end; i++) {
            float value = values[i];
            kept[size] = value;
            size += (bits_of(&value) - low) >> shift == bin;
        }
    }
    return size;
}

/* Positive floats order as their bits do, so the k-th smallest is found among these: counted in bins over their
 * range, then, in the bin that holds it, again. A stamp's invvar spreads over a first range so evenly that few
 * are left for a second. */
float pixels_median(const float *all, float *work, size_t count)
{
    size_t good;
    const float *values = take_positive(all, count, work, &good);
    uint32_t low = 0, high = 0;
    if (good)
        find_range(values, good, &low, &high);
    for (size_t k = (good - 1) / 2; low < high;) {
        int length = 32 - __builtin_clz(high - low), shift = length > BINS_LOG2 ? length - BINS_LOG2 : 0;
        uint32_t bin = find_bin(values, good, low, shift, &k);
        if (shift)
            good = keep_bin(values, good, low, shift, bin, work);
        values = work;
        low += bin << shift;
        high = low + (1u << shift) - 1;
    }
    float median;
    memcpy(&median, &low, sizeof median);
    return median;
}

WIDEST void pixels_scale(float *values, size_t count, float factor, float offset)
{
    for (size_t i = 0; i < count; i++)
        values[i] = values[i] * factor + offset;
}

/* log(|x| + sqrt(x^2 + 1)) with the polynomial of Cephes' logf (Moshier 1992), written so that it vectorises. */
WIDEST void pixels_half_asinh(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float x = values[i], a = fabsf(x);
        a = a < 1e15f ? a : 1e15f;
        float t = a + sqrtf(a * a + 1.0f);
        int32_t bits, fraction;
        memcpy(&bits, &t, sizeof bits);
        int32_t exponent = (bits - 0x3f3504f3) >> 23; /* so that the mantissa is in sqrt(1/2) .. sqrt(2) */
        fraction = bits - (exponent << 23);
        float m, e = (float)exponent;
        memcpy(&m, &fraction, sizeof m);
        m -= 1.0f;
        float square = m * m;
        float p = 7.0376836292e-2f;
        p = p * m - 1.1514610310e-1f;
        p = p * m + 1.1676998740e-1f;
        p = p * m - 1.2420140846e-1f;
        p = p * m + 1.4249322787e-1f;
        p = p * m - 1.6668057665e-1f;
        p = p * m + 2.0000714765e-1f;
        p = p * m - 2.4999993993e-1f;
        p = p * m + 3.3333331174e-1f;
        float logarithm = m * square * p - 2.12194440e-4f * e - 0.5f * square + m + 0.693359375f * e;
        values[i] = copysignf(0.5f * logarithm, x);
    }
}
