/* See spectral.h. Real rows are transformed two columns at a time, as real and imaginary part of one series;
 * so nothing is computed twice that the symmetry of a real image's spectrum gives. */
#include "daemon/worker/net/spectral_private.h"

int spectral_side(int in_px, int out_px, int kernel_px, int pad_px)
{
    int before = in_px + pad_px, after = out_px + kernel_px - 1 - pad_px;
    return fourier_length(before > after ? before : after);
}

void spectral_init(struct spectral *spectral)
{
    int length = spectral->fourier.length;
    fourier_init(&spectral->fourier, length);
    spectral->frequencies = (length / 2 + 1) * length;
}

size_t spectral_size(const struct spectral *spectral, int rows, int channels)
{
    return (size_t)spectral->frequencies * (size_t)rows * (size_t)groups_of(channels) * WIDTH;
}

size_t spectral_number_size(const struct spectral *spectral)
{
    return spectral->bf16 ? sizeof(uint16_t) : sizeof(float);
}

/* One group of channels of one stamp, transformed in one direction. */
size_t spectral_work_size(const struct spectral *spectral)
{
    return (size_t)spectral->frequencies * WIDTH;
}

INLINE float *work_of(const struct spectral *spectral)
{
    return (float *)spectral->work + spectral_work_size(spectral) * (size_t)omp_get_thread_num();
}

/* Two columns of one stamp: real and imaginary part of a series. */
INLINE void take_columns(const float *image, const float *gate, int side, int column, int channels, int valid,
                         float *to)
{
    const lanes zero = {0};
    for (int row = 0; row < side; row++) {
        for (int c = 0; c < 2; c++) {
            long at = ((long)row * side + column + c) * channels;
            lanes value = column + c < side ? lanes_load_first(image + at, valid) : zero;
            if (gate && column + c < side)
                value =
                    (lanes)((__typeof__(value > zero))value & (lanes_load_first(gate + at, valid) > zero));
            lanes_store(to + row * WIDTH + c * LANES, value);
        }
    }
}

/* From Z, the transform of a + i b, those of a and b: A(k) = (Z(k) + conj Z(L-k)) / 2 and B likewise, rows 0
 * .. L/2, to neighbouring columns of `rows`. */
INLINE void part_columns(const float *z, int length, float *rows, long row_stride)
{
    const lanes half = lanes_all(0.5f);
    for (int k = 0; k <= length / 2; k++) {
        const float *here = z + k * WIDTH, *there = z + (k ? length - k : 0) * WIDTH;
        lanes re = half * lanes_load(here), im = half * lanes_load(here + LANES),
              other_re = half * lanes_load(there), other_im = half * lanes_load(there + LANES);
        float *to = rows + k * row_stride;
        lanes_store(to, re + other_re);
        lanes_store(to + LANES, im - other_im);
        lanes_store(to + WIDTH, im + other_im);
        lanes_store(to + WIDTH + LANES, other_re - re);
    }
}

/* A line of frequencies to its place in a spectrum. z: room for it. */
INLINE void put_line(const struct spectral *spectral, const float *row, float *z, void *spectrum, long stride)
{
    const struct fourier *fourier = &spectral->fourier;
    fourier_forward(fourier, row, WIDTH, spectral->bf16 ? z : spectrum, spectral->bf16 ? WIDTH : stride);
    if (spectral->bf16)
        spectral_round_line(z, fourier->length, spectrum, stride);
}

static void transform_group(const struct spectral *spectral, const float *image, const float *gate, int side,
                            int channels, int valid, float *rows, void *spectrum, struct steps steps)
{
    const struct fourier *fourier = &spectral->fourier;
    int length = fourier->length;
    float real[WIDTH * LONGEST] __attribute__((aligned(64))), z[WIDTH * LONGEST] __attribute__((aligned(64)));
    memset(real + side * WIDTH, 0, (size_t)(length - side) * WIDTH * sizeof *real);
    for (int column = 0; column < side; column += 2) {
        take_columns(image, gate, side, column, channels, valid, real);
        fourier_forward(fourier, real, WIDTH, z, WIDTH);
        part_columns(z, length, rows + column * WIDTH, length * WIDTH);
    }
    for (int k = 0; k <= length / 2; k++)
        put_line(spectral, rows + (long)k * length * WIDTH, z, place_in(spectral, spectrum, k * steps.line),
                 steps.column);
}

void spectral_transform(const struct spectral *spectral, const float *images, const float *gate, int count,
                        int side_px, int channels, void *spectrum)
{
    int groups = groups_of(channels);
    long size = (long)side_px * side_px * channels;
    struct steps steps = steps_of(spectral, count, channels);
#pragma omp parallel for schedule(static)
    for (int n = 0; n < count; n++) {
        float *rows = work_of(spectral);
        memset(rows, 0, spectral_work_size(spectral) * sizeof *rows);
        for (int g = 0; g < groups; g++)
            transform_group(spectral, images + n * size + g * LANES,
                            gate ? gate + n * size + g * LANES : NULL, side_px, channels,
                            lanes_in(channels, g), rows,
                            place_in(spectral, spectrum, n * steps.row + g * WIDTH), steps);
    }
}

/* The opposite of part_columns: Z(k) = A + i B, and Z(L-k) = conj A + i conj B. */
INLINE void join_columns(const float *rows, long row_stride, int length, float *z)
{
    for (int k = 0; k <= length / 2; k++) {
        const float *from = rows + k * row_stride;
        lanes a_re = lanes_load(from), a_im = lanes_load(from + LANES), b_re = lanes_load(from + WIDTH),
              b_im = lanes_load(from + WIDTH + LANES);
        lanes_store(z + k * WIDTH, a_re - b_im);
        lanes_store(z + k * WIDTH + LANES, a_im + b_re);
        if (!k || 2 * k == length)
            continue;
        lanes_store(z + (length - k) * WIDTH, a_re + b_im);
        lanes_store(z + (length - k) * WIDTH + LANES, b_re - a_im);
    }
}

INLINE void put_columns(const float *from, lanes bias, bool relu, int side, int column, int channels,
                        int valid, float *image)
{
    const lanes zero = {0};
    for (int row = 0; row < side; row++) {
        for (int c = 0; c < 2 && column + c < side; c++) {
            lanes value = lanes_load(from + row * WIDTH + c * LANES) + bias;
            if (relu)
                value = (lanes)((__typeof__(value > zero))value & (value > zero));
            float *to = image + ((long)row * side + column + c) * channels;
            lanes_store_first(to, value, valid);
        }
    }
}

/* The opposite of put_line. */
INLINE void take_line(const struct spectral *spectral, void *spectrum, long stride, float *z, float *row)
{
    const struct fourier *fourier = &spectral->fourier;
    if (spectral->bf16)
        spectral_widen_line(spectrum, stride, fourier->length, z);
    fourier_inverse(fourier, spectral->bf16 ? z : spectrum, spectral->bf16 ? WIDTH : stride, row, WIDTH);
}

static void restore_group(const struct spectral *spectral, void *spectrum, struct steps steps, int side,
                          int channels, int valid, lanes bias, bool relu, float *rows, float *image)
{
    const struct fourier *fourier = &spectral->fourier;
    int length = fourier->length;
    float z[WIDTH * LONGEST] __attribute__((aligned(64))), real[WIDTH * LONGEST] __attribute__((aligned(64)));
    for (int k = 0; k <= length / 2; k++)
        take_line(spectral, place_in(spectral, spectrum, k * steps.line), steps.column, z,
                  rows + (long)k * length * WIDTH);
    for (int column = 0; column < side; column += 2) {
        join_columns(rows + column * WIDTH, length * WIDTH, length, z);
        fourier_inverse(fourier, z, WIDTH, real, WIDTH);
        put_columns(real, bias, relu, side, column, channels, valid, image);
    }
}

void spectral_restore(const struct spectral *spectral, void *spectrum, int count, int side_px, int channels,
                      const float *bias, bool relu, float *images)
{
    int groups = groups_of(channels);
    long size = (long)side_px * side_px * channels;
    struct steps steps = steps_of(spectral, count, channels);
#pragma omp parallel for schedule(static)
    for (int n = 0; n < count; n++) {
        float *rows = work_of(spectral);
        for (int g = 0; g < groups; g++) {
            int valid = lanes_in(channels, g);
            lanes add = bias ? lanes_load_first(bias + g * LANES, valid) : (lanes){0};
            restore_group(spectral, place_in(spectral, spectrum, n * steps.row + g * WIDTH), steps, side_px,
                          channels, valid, add, relu, rows, images + n * size + g * LANES);
        }
    }
}

INLINE void *frequency_in(const struct spectral *spectral, const void *spectrum, struct steps steps, int line,
                          int column)
{
    return place_in(spectral, spectrum, line * steps.line + column * steps.column);
}

/* Up to four rows by one group of eight outputs: 8 sums in registers. */
INLINE void multiply_rows(const int rows, const float *x, long x_stride, const float *kernel,
                          long kernel_stride, const bool conjugate, int inputs, float *product,
                          long product_stride)
{
    lanes re[4] = {{0}}, im[4] = {{0}};
    for (int i = 0; i < inputs; i++) {
        lanes k_re = lanes_load(kernel + i * kernel_stride),
              k_im = lanes_load(kernel + i * kernel_stride + LANES);
        const float *from = x + place_of(i);
#pragma GCC unroll 4
        for (int n = 0; n < rows; n++) {
            lanes x_re = lanes_all(from[n * x_stride]), x_im = lanes_all(from[n * x_stride + LANES]);
            re[n] = lanes_fma(x_re, k_re, re[n]);
            im[n] = conjugate ? lanes_fnma(x_re, k_im, im[n]) : lanes_fma(x_re, k_im, im[n]);
            re[n] = conjugate ? lanes_fma(x_im, k_im, re[n]) : lanes_fnma(x_im, k_im, re[n]);
            im[n] = lanes_fma(x_im, k_re, im[n]);
        }
    }
#pragma GCC unroll 4
    for (int n = 0; n < rows; n++) {
        lanes_store(product + n * product_stride, re[n]);
        lanes_store(product + n * product_stride + LANES, im[n]);
    }
}

INLINE void multiply_frequency(const float *x, long x_row, const float *kernel, long kernel_row,
                               const bool conjugate, int count, int inputs, int groups, float *product,
                               long product_row)
{
    for (int g = 0; g < groups; g++) {
        int n = 0;
        for (; n + 4 <= count; n += 4)
            multiply_rows(4, x + n * x_row, x_row, kernel + g * WIDTH, kernel_row, conjugate, inputs,
                          product + n * product_row + g * WIDTH, product_row);
        for (; n < count; n++)
            multiply_rows(1, x + n * x_row, x_row, kernel + g * WIDTH, kernel_row, conjugate, inputs,
                          product + n * product_row + g * WIDTH, product_row);
    }
}

INLINE void multiply(const struct spectral *spectral, const void *x, const void *kernel, const bool conjugate,
                     int count, int inputs, int outputs, void *product)
{
    struct steps from = steps_of(spectral, count, inputs), by = steps_of(spectral, inputs, outputs),
                 to = steps_of(spectral, count, outputs);
    int length = spectral->fourier.length, groups = groups_of(outputs);
#pragma omp parallel for schedule(static)
    for (int f = 0; f < spectral->frequencies; f++) {
        const void *x_here = frequency_in(spectral, x, from, f / length, f % length),
                   *kernel_here = frequency_in(spectral, kernel, by, f / length, f % length);
        void *product_here = frequency_in(spectral, product, to, f / length, f % length);
        if (spectral->bf16)
            spectral_multiply_bf16(x_here, from.row, kernel_here, by.row, conjugate, count, inputs, groups,
                                   product_here, to.row);
        else
            multiply_frequency(x_here, from.row, kernel_here, by.row, conjugate, count, inputs, groups,
                               product_here, to.row);
    }
}

void spectral_multiply(const struct spectral *spectral, const void *x, const void *kernel, bool conjugate,
                       int count, int inputs, int outputs, void *product)
{
    if (conjugate)
        multiply(spectral, x, kernel, true, count, inputs, outputs, product);
    else
        multiply(spectral, x, kernel, false, count, inputs, outputs, product);
}

/* Up to six inputs by one group of eight outputs: 12 sums in registers. */
INLINE void correlate_inputs(const int inputs, const float *x, int first, long x_stride, const float *d,
                             long d_stride, int count, bool add, float *gradient, long gradient_stride)
{
    lanes re[6] = {{0}}, im[6] = {{0}};
#pragma GCC unroll 6
    for (int i = 0; add && i < inputs; i++) {
        re[i] = lanes_load(gradient + i * gradient_stride);
        im[i] = lanes_load(gradient + i * gradient_stride + LANES);
    }
    for (int n = 0; n < count; n++) {
        lanes d_re = lanes_load(d + n * d_stride), d_im = lanes_load(d + n * d_stride + LANES);
        const float *from = x + n * x_stride;
#pragma GCC unroll 6
        for (int i = 0; i < inputs; i++) {
            lanes x_re = lanes_all(from[place_of(first + i)]),
                  x_im = lanes_all(from[place_of(first + i) + LANES]);
            re[i] = lanes_fma(x_re, d_re, re[i]);
            im[i] = lanes_fnma(x_re, d_im, im[i]);
            re[i] = lanes_fma(x_im, d_im, re[i]);
            im[i] = lanes_fma(x_im, d_re, im[i]);
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < inputs; i++) {
        lanes_store(gradient + i * gradient_stride, re[i]);
        lanes_store(gradient + i * gradient_stride + LANES, im[i]);
    }
}

INLINE void correlate_frequency(const float *x, long x_row, const float *d, long d_row, int count, bool add,
                                int inputs, int groups, float *gradient, long gradient_row)
{
    for (int g = 0; g < groups; g++) {
        float *to = gradient + g * WIDTH;
        int i = 0;
        for (; i + 6 <= inputs; i += 6)
            correlate_inputs(6, x, i, x_row, d + g * WIDTH, d_row, count, add, to + i * gradient_row,
                             gradient_row);
        for (; i < inputs; i++)
            correlate_inputs(1, x, i, x_row, d + g * WIDTH, d_row, count, add, to + i * gradient_row,
                             gradient_row);
    }
}

void spectral_correlate(const struct spectral *spectral, const void *x, const void *d, int count, bool add,
                        float *gradient)
{
    int inputs = spectral->inputs, groups = groups_of(spectral->outputs), length = spectral->fourier.length;
    struct steps left = steps_of(spectral, count, inputs),
                 right = steps_of(spectral, count, spectral->outputs),
                 out = steps_of(spectral, inputs, spectral->outputs);
#pragma omp parallel for schedule(static)
    for (int f = 0; f < spectral->frequencies; f++) {
        int line = f / length, column = f % length;
        const void *x_here = frequency_in(spectral, x, left, line, column),
                   *d_here = frequency_in(spectral, d, right, line, column);
        float *to = gradient + line * out.line + column * out.column;
        if (spectral->bf16)
            spectral_correlate_bf16(x_here, left.row, d_here, right.row, count, add, inputs, groups, to,
                                    out.row);
        else
            correlate_frequency(x_here, left.row, d_here, right.row, count, add, inputs, groups, to, out.row);
    }
}

/* A stamp's derivative by a channel, summed over its pixels: the frequency 0, which has no imaginary part. */
INLINE float sum_of(const struct spectral *spectral, const void *d, long row, int channel)
{
    uint32_t bits;
    if (!spectral->bf16)
        return ((const float *)d)[row + place_of(channel)];
    memcpy(&bits, (const uint16_t *)d + row + 2 * channel, sizeof bits);
    bits <<= 16;
    float sum;
    memcpy(&sum, &bits, sizeof sum);
    return sum;
}

void spectral_add_bias(const struct spectral *spectral, const void *d, int count, float *gradient)
{
    struct steps steps = steps_of(spectral, count, spectral->outputs);
    for (int o = 0; o < spectral->outputs; o++) {
        float sum = 0;
        for (int n = 0; n < count; n++)
            sum += sum_of(spectral, d, n * steps.row, o);
        gradient[o] += sum;
    }
}
