/* Private to net/. The discrete Fourier transform X(k) = sum over n of x(n) exp(-2 pi i k n / L), of eight
 * complex series at once, their real and imaginary parts apart. Lengths with the factors 2, 3 and 5.
 *
 * Stockham's self-sorting form (van Loan 1992, Computational Frameworks for the FFT, 1.7) with radices up to
 * 9, so that two passes do for every length up to 81. The inverse, times L, is the transform with real and
 * imaginary parts exchanged, of input and of output. */
#ifndef DECOY_NET_FOURIER_H
#define DECOY_NET_FOURIER_H

enum { FOURIER_LENGTH_MAX = 256, FOURIER_PASSES_MAX = 6 };

struct fourier {
    int length, passes;
    int radix[FOURIER_PASSES_MAX];
    float cosine[FOURIER_LENGTH_MAX], sine[FOURIER_LENGTH_MAX]; /* of 2 pi i / length */
};

/* A series in memory: element n is eight floats at re + n x stride and at im + n x stride. */
struct fourier_series {
    float *re, *im;
    long stride; /* floats */
    int count;   /* elements that are there: those behind it count as 0 when read, and are not written */
};

/* The least even length >= `least` that can be transformed; 0 where none is. */
int fourier_length(int least);
void fourier_init(struct fourier *fourier, int length);

/* `in` and `out` may not overlap. */
void fourier_run(const struct fourier *fourier, struct fourier_series in, struct fourier_series out);

#endif
