/* Private to net/. The discrete Fourier transform X(k) = sum over n of x(n) exp(-2 pi i k n / L), of eight
 * complex series at once, their real and imaginary parts apart. Lengths with the factors 2, 3 and 5.
 *
 * Stockham's self-sorting form (van Loan 1992, Computational Frameworks for the FFT, 1.7) with radices up to
 * 9, so that two passes do for most lengths up to 81. */
#ifndef DECOY_NET_FOURIER_H
#define DECOY_NET_FOURIER_H

enum { FOURIER_WIDTH = 16 /* floats of an element */, FOURIER_LENGTH_MAX = 256, FOURIER_PASSES_MAX = 6 };

struct fourier {
    int length, passes;
    int radix[FOURIER_PASSES_MAX];
    float cosine[FOURIER_LENGTH_MAX], sine[FOURIER_LENGTH_MAX]; /* of 2 pi i / length */
};

/* The least even length >= `least` that can be transformed; 0 where none is. */
int fourier_length(int least);
void fourier_init(struct fourier *fourier, int length);

/* L elements each: element n is eight real parts at n x stride (floats) and eight imaginary parts behind them.
 * `in` and `out` may not overlap. The inverse is without the factor 1 / L. */
void fourier_forward(const struct fourier *fourier, const float *in, long in_stride, float *out,
                     long out_stride);
void fourier_inverse(const struct fourier *fourier, const float *in, long in_stride, float *out,
                     long out_stride);

#endif
