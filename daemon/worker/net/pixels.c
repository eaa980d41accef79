/* See pixels.h. No sum is contracted to a fused one (meson.build), so that the width of vectors changes no bit. */
#include "daemon/worker/net/pixels.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Clang before 17 gives a cloned function a name of its own, which no other file finds. */
#if defined __x86_64__ && defined __gnu_linux__ && !(defined __clang__ && __clang_major__ < 17)
#define WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDEST
#endif

enum { SQUARE = 4, AHEAD = 1024, FEW = 32 };

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

WIDEST void pixels_part(const float *pixels, size_t count, int channel_count, float *planes, size_t stride)
{
    size_t channels = (size_t)channel_count, i = 0;
    for (; channels >= SQUARE && i + SQUARE <= count; i += SQUARE) {
        for (size_t c = 0; c < channels; c += SQUARE) {
            size_t at = square_at(c, channels);
            transpose(pixels + i * channels + at, channels, planes + at * stride + i, stride);
            __builtin_prefetch(pixels + i * channels + at + AHEAD);
        }
    }
    for (; i < count; i++) {
        for (size_t c = 0; c < channels; c++)
            planes[c * stride + i] = pixels[i * channels + c];
    }
}

WIDEST void pixels_join(const float *planes, size_t stride, size_t count, int channel_count, float *pixels)
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

static inline int32_t bits_of(const float *value)
{
    int32_t bits;
    memcpy(&bits, value, sizeof bits);
    return bits;
}

/* A value is sought among those whose bits are low .. high; so many are below those, and so many up to the last. */
struct hem {
    int32_t low, high;
    size_t below, upto;
};

/* The bits of the least and of the largest positive value. */
WIDEST static void find_range(const float *values, size_t count, int32_t *least, int32_t *most)
{
    uint32_t low = UINT32_MAX; /* of bits less 1: those of what is not positive wrap round to the largest */
    int32_t high = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t bits = bits_of(&values[i]);
        uint32_t less = (uint32_t)bits - 1;
        low = less < low ? less : low;
        high = bits > high ? bits : high;
    }
    *least = (int32_t)(low + 1);
    *most = high;
}

/* How many have bits of at most so much: all that are not positive among them. */
WIDEST static size_t count_upto(const float *values, size_t count, int32_t most)
{
    int32_t upto = 0;
    for (size_t i = 0; i < count; i++)
        upto += bits_of(&values[i]) <= most;
    return (size_t)upto;
}

/* Where to look next for the one of rank k: where it would be in a flat distribution, but now a little above and now
 * a little below, so that it is soon hemmed in from both sides; or, of three times once, half way. */
static int32_t guess(const struct hem *hem, size_t k, int turn)
{
    double all = (double)(hem->upto - hem->below), margin = 0.5 * sqrt(all);
    double rank = (double)(k - hem->below) + 0.5 + (turn % 3 == 0 ? margin : -margin);
    double part = turn % 3 == 2 || rank < 0 || rank > all ? 0.5 : rank / all;
    int32_t middle = hem->low + (int32_t)(part * (hem->high - hem->low));
    return middle < hem->high ? middle : hem->high - 1;
}

/* The (k + 1)-th smallest of those few that are hemmed in. */
WIDEST static int32_t pick(const float *values, size_t count, const struct hem *hem, size_t k)
{
    enum { RUN = 64 };
    int32_t few[FEW];
    size_t size = 0;
    for (size_t first = 0; first < count; first += RUN) {
        size_t end = first + RUN < count ? first + RUN : count;
        uint32_t any = 0; /* in most runs there is none */
        for (size_t i = first; i < end; i++)
            any |= (uint32_t)(bits_of(&values[i]) >= hem->low) & (uint32_t)(bits_of(&values[i]) <= hem->high);
        for (size_t i = first; any && i < end; i++) {
            int32_t bits = bits_of(&values[i]);
            size_t at = size;
            if (bits < hem->low || bits > hem->high)
                continue;
            for (; at > 0 && few[at - 1] > bits; at--)
                few[at] = few[at - 1];
            few[at] = bits;
            size++;
        }
    }
    return few[k - hem->below];
}

/* Positive floats order as their bits do, as integers with a sign, and others come before them. Those that may be the
 * one of rank k are hemmed in by counting all, 8 or 16 in an instruction, until they are few or alike. */
float pixels_median(const float *values, size_t count)
{
    struct hem hem = {.below = count_upto(values, count, 0), .upto = count};
    if (hem.below == count)
        return 0;
    size_t k = hem.below + (count - hem.below - 1) / 2;
    find_range(values, count, &hem.low, &hem.high);
    for (int turn = 0; hem.low < hem.high && hem.upto - hem.below > FEW; turn++) {
        int32_t middle = guess(&hem, k, turn);
        size_t upto = count_upto(values, count, middle);
        if (upto > k) {
            hem.high = middle;
            hem.upto = upto;
        } else {
            hem.low = middle + 1;
            hem.below = upto;
        }
    }
    if (hem.low < hem.high)
        hem.low = pick(values, count, &hem, k);
    float median;
    memcpy(&median, &hem.low, sizeof median);
    return median;
}

WIDEST void pixels_scale(float *values, size_t count, float factor, float offset)
{
    for (size_t i = 0; i < count; i++)
        values[i] = values[i] * factor + offset;
}

/* log(|x| + sqrt(x^2 + 1)) with the polynomial of Cephes' logf (Moshier 1992), written so that it vectorises, and in
 * terms that need not wait for one another (Estrin). */
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
        float low =
            3.3333331174e-1f - 2.4999993993e-1f * m + (2.0000714765e-1f - 1.6668057665e-1f * m) * square;
        float high =
            1.4249322787e-1f - 1.2420140846e-1f * m + (1.1676998740e-1f - 1.1514610310e-1f * m) * square;
        float p = low + square * square * (high + 7.0376836292e-2f * (square * square));
        float logarithm = m * square * p - 2.12194440e-4f * e - 0.5f * square + m + 0.693359375f * e;
        values[i] = copysignf(0.5f * logarithm, x);
    }
}
