/* Private to spectral*.c: how spectra lie in memory. */
#ifndef DECOY_NET_SPECTRAL_PRIVATE_H
#define DECOY_NET_SPECTRAL_PRIVATE_H

#include "daemon/worker/net/lanes.h"
#include "daemon/worker/net/spectral.h"

#include <stdint.h>

#ifdef _OPENMP
int omp_get_thread_num(void);
#else
#define omp_get_thread_num() 0
#endif

#define INLINE static inline __attribute__((always_inline))

enum {
    WIDTH = FOURIER_WIDTH, /* floats of eight complex numbers */
    LONGEST = FOURIER_LENGTH_MAX,
    TAPS_MAX = SPECTRAL_KERNEL_MAX * SPECTRAL_KERNEL_MAX
};

INLINE int groups_of(int channels)
{
    return (channels + LANES - 1) / LANES;
}

INLINE int lanes_in(int channels, int group)
{
    int left = channels - group * LANES;
    return left < LANES ? left : LANES;
}

/* Floats from one frequency of a line to the next, from one row (stamp or input) to the next, and from one line
 * of frequencies to the next: a row's line lies together, so that its transform touches few pages. */
struct steps {
    long column, row, line;
};

INLINE struct steps steps_of(const struct spectral *spectral, int rows, int channels)
{
    long column = (long)groups_of(channels) * FOURIER_WIDTH, row = column * spectral->fourier.length;
    return (struct steps){column, row, row * rows};
}

/* The place so many numbers behind the beginning of a spectrum of stamps or of a kernel. */
INLINE void *place_in(const struct spectral *spectral, const void *spectrum, long numbers)
{
    return (char *)spectrum + numbers * (long)spectral_number_size(spectral);
}

/* spectral_bf16.c. A line of one group of channels to a spectrum, `stride` numbers from one frequency to the next, and
 * back; and what spectral.h says of multiply and correlate, at one frequency: ..._row numbers from one stamp or input
 * to the next. */
void spectral_round_line(const float *line, int length, uint16_t *spectrum, long stride);
void spectral_widen_line(const uint16_t *spectrum, long stride, int length, float *line);
void spectral_multiply_bf16(const uint16_t *x, long x_row, const uint16_t *kernel, long kernel_row,
                            bool conjugate, int count, int inputs, int groups, uint16_t *product,
                            long product_row);
void spectral_correlate_bf16(const uint16_t *x, long x_row, const uint16_t *d, long d_row, int count,
                             bool add, int inputs, int groups, float *gradient, long gradient_row);

INLINE int place_of(int channel) /* of its real part in a row of a spectrum */
{
    return channel / LANES * WIDTH + channel % LANES;
}

#endif
