/* The spectra of kernels, and kernels from their spectra. Most taps of a kernel of L px are 0, so its columns are
 * summed as the definition says, and only its rows transformed. */
#include "daemon/worker/net/spectral_private.h"

/* cos and sin of 2 pi k (u - padding) / L */
INLINE void phase_of(const struct spectral *spectral, int k, int u, lanes *cosine, lanes *sine)
{
    int length = spectral->fourier.length, at = (k * (u - spectral->pad_px)) % length;
    at += at < 0 ? length : 0;
    *cosine = lanes_all(spectral->fourier.cosine[at]);
    *sine = lanes_all(spectral->fourier.sine[at]);
}

/* One row of frequencies of conj W: taps are (K, K) of eight weights. */
INLINE void kernel_row(const struct spectral *spectral, const float *taps, int k, float *row)
{
    int kernel = spectral->kernel_px, length = spectral->fourier.length;
    for (int v = 0; v < kernel; v++) {
        lanes re = {0}, im = {0}, cosine, sine;
        for (int u = 0; u < kernel; u++) {
            lanes tap = lanes_load(taps + (u * kernel + v) * LANES);
            phase_of(spectral, k, u, &cosine, &sine);
            re = lanes_fma(tap, cosine, re);
            im = lanes_fma(tap, sine, im);
        }
        float *to = row + (v - spectral->pad_px + length) % length * WIDTH;
        lanes_store(to, re);
        lanes_store(to + LANES, im);
    }
}

INLINE void gather_taps(const struct spectral *spectral, const float *weights, bool swap, int row, int group,
                        float scale, float *taps)
{
    int area = spectral->kernel_px * spectral->kernel_px, inputs = spectral->inputs;
    int valid = lanes_in(swap ? inputs : spectral->outputs, group);
    memset(taps, 0, (size_t)area * LANES * sizeof *taps);
    for (int l = 0; l < valid; l++) {
        long lane = group * LANES + l;
        const float *from = weights + (swap ? (long)row * inputs + lane : lane * inputs + row) * area;
        for (int t = 0; t < area; t++)
            taps[t * LANES + l] = scale * from[t];
    }
}

void spectral_kernel(const struct spectral *spectral, const float *weights, bool exchange, float *spectrum)
{
    int length = spectral->fourier.length;
    int rows = exchange ? spectral->outputs : spectral->inputs;
    int groups = groups_of(exchange ? spectral->inputs : spectral->outputs);
    struct steps steps = steps_of(spectral, rows, exchange ? spectral->inputs : spectral->outputs);
#pragma omp parallel for schedule(static)
    for (int part = 0; part < rows * groups; part++) {
        float taps[TAPS_MAX * LANES] __attribute__((aligned(64)));
        float row[WIDTH * LONGEST] __attribute__((aligned(64)));
        memset(row, 0, sizeof row);
        gather_taps(spectral, weights, exchange, part / groups, part % groups,
                    1.0f / (float)(length * length), taps);
        for (int k = 0; k <= length / 2; k++) {
            kernel_row(spectral, taps, k, row);
            fourier_inverse(&spectral->fourier, row, WIDTH,
                            spectrum + k * steps.line + part / groups * steps.row + part % groups * WIDTH,
                            steps.column);
        }
    }
}

/* Adds one row of frequencies to the taps of a real kernel; rows but the first and the last stand for their
 * conjugates too. */
INLINE void add_kernel_row(const struct spectral *spectral, const float *row, int k, float *taps)
{
    int kernel = spectral->kernel_px, length = spectral->fourier.length;
    lanes weight = lanes_all(k && 2 * k != length ? 2 : 1);
    for (int v = 0; v < kernel; v++) {
        const float *from = row + (v - spectral->pad_px + length) % length * WIDTH;
        lanes re = weight * lanes_load(from), im = weight * lanes_load(from + LANES), cosine, sine;
        for (int u = 0; u < kernel; u++) {
            float *tap = taps + (u * kernel + v) * LANES;
            phase_of(spectral, k, u, &cosine, &sine);
            lanes_store(tap, lanes_fnma(im, sine, lanes_fma(re, cosine, lanes_load(tap))));
        }
    }
}

void spectral_restore_kernel(const struct spectral *spectral, const float *spectrum, float *gradient)
{
    int length = spectral->fourier.length, area = spectral->kernel_px * spectral->kernel_px;
    int groups = groups_of(spectral->outputs), inputs = spectral->inputs;
    struct steps steps = steps_of(spectral, inputs, spectral->outputs);
    float scale = 1.0f / (float)(length * length);
#pragma omp parallel for schedule(static)
    for (int part = 0; part < inputs * groups; part++) {
        float taps[TAPS_MAX * LANES] __attribute__((aligned(64)));
        float row[WIDTH * LONGEST] __attribute__((aligned(64)));
        memset(taps, 0, sizeof taps);
        for (int k = 0; k <= length / 2; k++) {
            fourier_inverse(&spectral->fourier,
                            spectrum + k * steps.line + part / groups * steps.row + part % groups * WIDTH,
                            steps.column, row, WIDTH);
            add_kernel_row(spectral, row, k, taps);
        }
        for (int l = 0; l < lanes_in(spectral->outputs, part % groups); l++) {
            float *to = gradient + ((long)(part % groups * LANES + l) * inputs + part / groups) * area;
            for (int t = 0; t < area; t++)
                to[t] = scale * taps[t * LANES + l];
        }
    }
}
