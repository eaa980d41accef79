/* See fourier.h. A pass of radix r takes the series apart into butterflies of r elements; passes write in
 * turn to two work spaces on the stack, the last one to `out`. */
#include "daemon/worker/net/fourier.h"
#include "daemon/worker/net/lanes.h"

#include <math.h>
#include <stdbool.h>

#define INLINE static inline __attribute__((always_inline))

struct complex {
    lanes re, im;
};

INLINE struct complex add(struct complex a, struct complex b)
{
    return (struct complex){a.re + b.re, a.im + b.im};
}

INLINE struct complex subtract(struct complex a, struct complex b)
{
    return (struct complex){a.re - b.re, a.im - b.im};
}

/* a - i b and a + i b */
INLINE struct complex add_turned(struct complex a, struct complex b)
{
    return (struct complex){a.re + b.im, a.im - b.re};
}

INLINE struct complex subtract_turned(struct complex a, struct complex b)
{
    return (struct complex){a.re - b.im, a.im + b.re};
}

/* a + factor b */
INLINE struct complex add_scaled(struct complex a, float factor, struct complex b)
{
    lanes all = lanes_all(factor);
    return (struct complex){lanes_fma(all, b.re, a.re), lanes_fma(all, b.im, a.im)};
}

/* a (cosine - i sine) */
INLINE struct complex turn(struct complex a, float cosine, float sine)
{
    lanes c = lanes_all(cosine), s = lanes_all(sine);
    return (struct complex){lanes_fma(a.im, s, a.re * c), lanes_fnma(a.re, s, a.im * c)};
}

INLINE void dft2(struct complex *x)
{
    struct complex a = x[0];
    x[0] = add(a, x[1]);
    x[1] = subtract(a, x[1]);
}

INLINE void dft3(struct complex *x)
{
    const float sine = 0.86602540378443864676f; /* of 60 degrees */
    struct complex sum = add(x[1], x[2]), difference = subtract(x[1], x[2]);
    struct complex middle = add_scaled(x[0], -0.5f, sum);
    difference.re *= lanes_all(sine);
    difference.im *= lanes_all(sine);
    x[0] = add(x[0], sum);
    x[1] = add_turned(middle, difference);
    x[2] = subtract_turned(middle, difference);
}

INLINE void dft4(struct complex *x)
{
    struct complex a = add(x[0], x[2]), b = subtract(x[0], x[2]), c = add(x[1], x[3]),
                   d = subtract(x[1], x[3]);
    x[0] = add(a, c);
    x[1] = add_turned(b, d);
    x[2] = subtract(a, c);
    x[3] = subtract_turned(b, d);
}

INLINE void dft5(struct complex *x)
{
    const float c1 = 0.30901699437494742410f,
                c2 = -0.80901699437494742410f; /* cosines of 72 and 144 degrees */
    const float s1 = 0.95105651629515357212f, s2 = 0.58778525229247312917f;
    struct complex sum1 = add(x[1], x[4]), sum2 = add(x[2], x[3]), zero = {{0}, {0}};
    struct complex difference1 = subtract(x[1], x[4]), difference2 = subtract(x[2], x[3]);
    struct complex even1 = add_scaled(add_scaled(x[0], c1, sum1), c2, sum2);
    struct complex even2 = add_scaled(add_scaled(x[0], c2, sum1), c1, sum2);
    struct complex odd1 = add_scaled(add_scaled(zero, s1, difference1), s2, difference2);
    struct complex odd2 = add_scaled(add_scaled(zero, s2, difference1), -s1, difference2);
    x[0] = add(x[0], add(sum1, sum2));
    x[1] = add_turned(even1, odd1);
    x[2] = add_turned(even2, odd2);
    x[3] = subtract_turned(even2, odd2);
    x[4] = subtract_turned(even1, odd1);
}

INLINE void dft_prime(int radix, struct complex *x)
{
    if (radix == 2)
        dft2(x);
    else if (radix == 3)
        dft3(x);
    else if (radix == 4)
        dft4(x);
    else
        dft5(x);
}

/* exp(-2 pi i j / 8) and / 9, and / 6 */
static const float COSINE8[8] = {1, 0.70710678118654752440f, 0, -0.70710678118654752440f};
static const float SINE8[8] = {0, 0.70710678118654752440f, 1, 0.70710678118654752440f};
static const float COSINE9[5] = {1, 0.76604444311897803520f, 0.17364817766693034885f, -0.5f,
                                 -0.93969262078590838405f};
static const float SINE9[5] = {0, 0.64278760968653932632f, 0.98480775301220805936f, 0.86602540378443864676f,
                               0.34202014332566873304f};
static const float COSINE6[3] = {1, 0.5f, -0.5f};
static const float SINE6[3] = {0, 0.86602540378443864676f, 0.86602540378443864676f};

/* Of length a b: b transforms of length a, a turn, a transforms of length b (Cooley & Tukey 1965). */
INLINE void dft_composed(const int a, const int b, const float *cosine, const float *sine, struct complex *x)
{
    struct complex part[3 * 4];
#pragma GCC unroll 4
    for (int n = 0; n < b; n++) {
        struct complex column[4];
#pragma GCC unroll 4
        for (int m = 0; m < a; m++)
            column[m] = x[b * m + n];
        dft_prime(a, column);
#pragma GCC unroll 4
        for (int k = 0; k < a; k++)
            part[k * b + n] = n && k ? turn(column[k], cosine[n * k], sine[n * k]) : column[k];
    }
#pragma GCC unroll 4
    for (int k = 0; k < a; k++) {
        dft_prime(b, part + k * b);
#pragma GCC unroll 4
        for (int m = 0; m < b; m++)
            x[k + a * m] = part[k * b + m];
    }
}

INLINE void dft(const int radix, struct complex *x)
{
    if (radix == 6)
        dft_composed(2, 3, COSINE6, SINE6, x);
    else if (radix == 8)
        dft_composed(2, 4, COSINE8, SINE8, x);
    else if (radix == 9)
        dft_composed(3, 3, COSINE9, SINE9, x);
    else
        dft_prime(radix, x);
}

/* The inverse is the transform with real and imaginary parts exchanged on the way in and out: for a kernel, a
 * matter of which register is which. */
INLINE struct complex load(const float *at, const bool inverse)
{
    lanes re = lanes_load(at), im = lanes_load(at + LANES);
    return inverse ? (struct complex){im, re} : (struct complex){re, im};
}

INLINE void store(float *at, struct complex value, const bool inverse)
{
    lanes_store(at, inverse ? value.im : value.re);
    lanes_store(at + LANES, inverse ? value.re : value.im);
}

INLINE void turn_all(const int radix, struct complex *x, const struct fourier *fourier, int step)
{
#pragma GCC unroll 9
    for (int k = 1; k < radix; k++)
        x[k] = turn(x[k], fourier->cosine[k * step], fourier->sine[k * step]);
}

/* s: number of interleaved series, each of length L / s. The last pass has nothing to turn. */
INLINE void pass(const int radix, const bool inverse, const bool last, const struct fourier *fourier, int s,
                 const float *in, long in_stride, float *out, long out_stride)
{
    const int parts = last ? 1 : fourier->length / s / radix;
    const long in_step = s * parts * in_stride, out_step = s * out_stride;
    for (int p = 0; p < parts; p++) {
        for (int q = 0; q < s; q++) {
            struct complex x[9];
            const float *from = in + (q + s * p) * in_stride;
            float *to = out + (q + s * radix * p) * out_stride;
#pragma GCC unroll 9
            for (int k = 0; k < radix; k++)
                x[k] = load(from + k * in_step, inverse);
            dft(radix, x);
            if (!last)
                turn_all(radix, x, fourier, p * s);
#pragma GCC unroll 9
            for (int k = 0; k < radix; k++)
                store(to + k * out_step, x[k], inverse);
        }
    }
}

INLINE void run_pass(const bool inverse, const bool last, int radix, const struct fourier *fourier, int s,
                     const float *in, long in_stride, float *out, long out_stride)
{
    switch (radix) {
    case 2:
        return pass(2, inverse, last, fourier, s, in, in_stride, out, out_stride);
    case 3:
        return pass(3, inverse, last, fourier, s, in, in_stride, out, out_stride);
    case 4:
        return pass(4, inverse, last, fourier, s, in, in_stride, out, out_stride);
    case 5:
        return pass(5, inverse, last, fourier, s, in, in_stride, out, out_stride);
    case 6:
        return pass(6, inverse, last, fourier, s, in, in_stride, out, out_stride);
    case 8:
        return pass(8, inverse, last, fourier, s, in, in_stride, out, out_stride);
    default:
        return pass(9, inverse, last, fourier, s, in, in_stride, out, out_stride);
    }
}

INLINE void run(const bool inverse, const struct fourier *fourier, const float *in, long in_stride,
                float *out, long out_stride)
{
    float work[2][FOURIER_WIDTH * FOURIER_LENGTH_MAX] __attribute__((aligned(64)));
    int s = 1, last = fourier->passes - 1;
    for (int i = 0; i < last; i++) {
        run_pass(inverse, false, fourier->radix[i], fourier, s, in, in_stride, work[i % 2], FOURIER_WIDTH);
        s *= fourier->radix[i];
        in = work[i % 2];
        in_stride = FOURIER_WIDTH;
    }
    run_pass(inverse, true, fourier->radix[last], fourier, s, in, in_stride, out, out_stride);
}

void fourier_forward(const struct fourier *fourier, const float *in, long in_stride, float *out,
                     long out_stride)
{
    run(false, fourier, in, in_stride, out, out_stride);
}

void fourier_inverse(const struct fourier *fourier, const float *in, long in_stride, float *out,
                     long out_stride)
{
    run(true, fourier, in, in_stride, out, out_stride);
}

static int plan_passes(int length, int *radix)
{
    static const int RADICES[] = {9, 8, 6, 5, 4, 3, 2};
    for (int i = 0; i < 7; i++) { /* two passes, the more even the better */
        int other = length % RADICES[i] ? 0 : length / RADICES[i];
        for (int j = 0; j < 7; j++) {
            if (RADICES[j] == other) {
                radix[0] = RADICES[i];
                radix[1] = other;
                return 2;
            }
        }
    }
    int passes = 0;
    for (int i = 0; i < 7; i++) {
        while (length % RADICES[i] == 0 && passes < FOURIER_PASSES_MAX) {
            radix[passes++] = RADICES[i];
            length /= RADICES[i];
        }
    }
    return length == 1 ? passes : 0;
}

int fourier_length(int least)
{
    int radix[FOURIER_PASSES_MAX];
    for (int length = least + least % 2; length <= FOURIER_LENGTH_MAX; length += 2) {
        if (length >= 4 && plan_passes(length, radix))
            return length;
    }
    return 0;
}

void fourier_init(struct fourier *fourier, int length)
{
    fourier->length = length;
    fourier->passes = plan_passes(length, fourier->radix);
    for (int i = 0; i < length; i++) {
        fourier->cosine[i] = (float)cos(2 * M_PI * i / length);
        fourier->sine[i] = (float)sin(2 * M_PI * i / length);
    }
}
