/* The products of spectra in bfloat16: half the bytes, twice the multiply-adds. Compiled for AVX-512 (meson.build).
 * With K a number of a kernel's spectrum as it lies there, and X of a stamp's,
 *
 *   X K       = (X . (K_re, -K_im)) + i (X . (K_im, K_re))
 *   X conj K  = (X . (K_re,  K_im)) + i (X . (-K_im, K_re))        . : the product of pairs_dot
 *
 * so that both parts of a complex product cost one instruction each for eight channels. */
#include "daemon/worker/net/pairs.h"
#include "daemon/worker/net/spectral_private.h"

enum { ROWS = 8, INPUTS = 6 }; /* 16 or 12 sums in registers */

/* The two factors of a spectrum's number, for the real and the imaginary part of the product. */
INLINE void find_factors(const uint16_t *spectrum, const bool conjugate, pairs *for_re, pairs *for_im)
{
    pairs number = pairs_load(spectrum);
    *for_re = conjugate ? number : pairs_negate_imaginary(number);
    *for_im = pairs_exchange(conjugate ? pairs_negate_imaginary(number) : number);
}

void spectral_round_line(const float *line, int length, uint16_t *spectrum, long stride)
{
    for (int f = 0; f < length; f++, line += WIDTH, spectrum += stride)
        pairs_store(spectrum, pairs_round(lanes_load(line), lanes_load(line + LANES)));
}

void spectral_widen_line(const uint16_t *spectrum, long stride, int length, float *line)
{
    for (int f = 0; f < length; f++, line += WIDTH, spectrum += stride) {
        pairs value = pairs_load(spectrum);
        lanes_store(line, pairs_real(value));
        lanes_store(line + LANES, pairs_imaginary(value));
    }
}

INLINE void multiply_rows(const int rows, const uint16_t *x, long x_stride, const uint16_t *kernel,
                          long kernel_stride, const bool conjugate, int inputs, uint16_t *product,
                          long product_stride)
{
    lanes re[ROWS] = {{0}}, im[ROWS] = {{0}};
    for (int i = 0; i < inputs; i++) {
        pairs for_re, for_im;
        find_factors(kernel + i * kernel_stride, conjugate, &for_re, &for_im);
#pragma GCC unroll 8
        for (int n = 0; n < rows; n++) {
            pairs number = pairs_all(x + n * x_stride + PAIR * i);
            re[n] = pairs_dot(re[n], number, for_re);
            im[n] = pairs_dot(im[n], number, for_im);
        }
    }
#pragma GCC unroll 8
    for (int n = 0; n < rows; n++)
        pairs_store(product + n * product_stride, pairs_round(re[n], im[n]));
}

INLINE void multiply_frequency(const uint16_t *x, long x_row, const uint16_t *kernel, long kernel_row,
                               const bool conjugate, int count, int inputs, int groups, uint16_t *product,
                               long product_row)
{
    for (int g = 0; g < groups; g++) {
        int n = 0;
        for (; n + ROWS <= count; n += ROWS)
            multiply_rows(ROWS, x + n * x_row, x_row, kernel + g * WIDTH, kernel_row, conjugate, inputs,
                          product + n * product_row + g * WIDTH, product_row);
        for (; n < count; n++)
            multiply_rows(1, x + n * x_row, x_row, kernel + g * WIDTH, kernel_row, conjugate, inputs,
                          product + n * product_row + g * WIDTH, product_row);
    }
}

void spectral_multiply_bf16(const uint16_t *x, long x_row, const uint16_t *kernel, long kernel_row,
                            bool conjugate, int count, int inputs, int groups, uint16_t *product,
                            long product_row)
{
    if (conjugate)
        multiply_frequency(x, x_row, kernel, kernel_row, true, count, inputs, groups, product, product_row);
    else
        multiply_frequency(x, x_row, kernel, kernel_row, false, count, inputs, groups, product, product_row);
}

INLINE void correlate_inputs(const int inputs, const uint16_t *x, long x_stride, const uint16_t *d,
                             long d_stride, int count, bool add, float *gradient, long gradient_stride)
{
    lanes re[INPUTS] = {{0}}, im[INPUTS] = {{0}};
#pragma GCC unroll 6
    for (int i = 0; add && i < inputs; i++) {
        re[i] = lanes_load(gradient + i * gradient_stride);
        im[i] = lanes_load(gradient + i * gradient_stride + LANES);
    }
    for (int n = 0; n < count; n++) {
        pairs for_re, for_im;
        find_factors(d + n * d_stride, true, &for_re, &for_im);
#pragma GCC unroll 6
        for (int i = 0; i < inputs; i++) {
            pairs number = pairs_all(x + n * x_stride + PAIR * i);
            re[i] = pairs_dot(re[i], number, for_re);
            im[i] = pairs_dot(im[i], number, for_im);
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < inputs; i++) {
        lanes_store(gradient + i * gradient_stride, re[i]);
        lanes_store(gradient + i * gradient_stride + LANES, im[i]);
    }
}

void spectral_correlate_bf16(const uint16_t *x, long x_row, const uint16_t *d, long d_row, int count,
                             bool add, int inputs, int groups, float *gradient, long gradient_row)
{
    for (int g = 0; g < groups; g++) {
        float *to = gradient + g * WIDTH;
        int i = 0;
        for (; i + INPUTS <= inputs; i += INPUTS)
            correlate_inputs(INPUTS, x + PAIR * i, x_row, d + g * WIDTH, d_row, count, add,
                             to + i * gradient_row, gradient_row);
        for (; i < inputs; i++)
            correlate_inputs(1, x + PAIR * i, x_row, d + g * WIDTH, d_row, count, add, to + i * gradient_row,
                             gradient_row);
    }
}
