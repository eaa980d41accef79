/* Private to net/. A convolution of stride 1 by way of its Fourier transform (Mathieu, Henaff & LeCun 2014,
 * arXiv:1312.5851): for a 7 x 7 kernel a tenth of the products of direct loops, to the same accuracy.
 *
 * Stamps are transformed in two dimensions of L px, L >= S + padding; at each frequency the convolution is a
 * product of matrices, stamps x inputs by inputs x outputs. With W(f) the transform of the kernel, of a
 * layer's input X and of the loss's derivative D by its output:
 *
 *   output            Y(n, o) = sum over i of conj W(o, i) X(n, i)
 *   input's gradient  G(n, i) = sum over o of      W(o, i) D(n, o)
 *   kernel's gradient K(o, i) = sum over n of conj D(n, o) X(n, i)
 *
 * A stamp's numbers do not depend on its neighbours in the batch, nor any number on how many threads there
 * are. Spectra are held for rows 0 .. L/2 of frequencies (the rest is their conjugate), as
 * [line of frequencies][stamp or input][frequency][channels / 8][re, im][8], in bfloat16 as [...][channels / 8][8][re,
 * im]: then spectra of stamps and kernels are rounded (off by 2^-9 of each frequency, and so, by Parseval's theorem, of
 * their pixels in quadratic mean), what is summed from their products is float32, and so is a kernel's gradient. */
#ifndef DECOY_NET_SPECTRAL_H
#define DECOY_NET_SPECTRAL_H

#include "daemon/worker/net/fourier.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    SPECTRAL_KERNEL_MAX = 15 /* px */
};

struct spectral {
    struct fourier fourier;
    int inputs, outputs; /* channels */
    int kernel_px, pad_px;
    bool bf16;       /* numbers of a spectrum are bfloat16, else float32 */
    int frequencies; /* (L / 2 + 1) L */
    void *work;      /* the caller's: spectral_work_size floats for each OpenMP thread */
};

/* The side L that such a layer needs; 0 where it is too large. */
int spectral_side(int in_px, int out_px, int kernel_px, int pad_px);

/* fourier.length is set; the rest follows from the others. */
void spectral_init(struct spectral *spectral);

/* Numbers of a spectrum of `rows` stamps or inputs with so many channels. */
size_t spectral_size(const struct spectral *spectral, int rows, int channels);

/* Bytes of a number in spectra of stamps and kernels. */
size_t spectral_number_size(const struct spectral *spectral);

size_t spectral_work_size(const struct spectral *spectral);

/* weights (out, in, K, K), plain or with inputs and outputs exchanged (as gradients of inputs take them):
 * their spectrum, times 1 / L^2. */
void spectral_kernel(const struct spectral *spectral, const float *weights, bool exchanged, void *spectrum);

/* count images (count, side, side, channels) to their spectrum; gate (NULL: none): pixels
 * where it is not positive count as 0. */
void spectral_transform(const struct spectral *spectral, const float *images, const float *gate, int count,
                        int side_px, int channels, void *spectrum);

/* And back: side_px rows and columns of it. bias (NULL: none) is added; with relu, negative values become 0. */
void spectral_restore(const struct spectral *spectral, void *spectrum, int count, int side_px, int channels,
                      const float *bias, bool relu, float *images);

/* product(n, o) = sum over i of x(n, i) kernel(i, o), or with the conjugate of the kernel. */
void spectral_multiply(const struct spectral *spectral, const void *x, const void *kernel, bool conjugate,
                       int count, int inputs, int outputs, void *product);

/* gradient(i, o) (+)= sum over n of x(n, i) conj d(n, o); add: to what is there. */
void spectral_correlate(const struct spectral *spectral, const void *x, const void *d, int count, bool add,
                        float *gradient);

/* The kernel's gradient (out, in, K, K) from its spectrum, and the bias's from d: added to what is there. */
void spectral_restore_kernel(const struct spectral *spectral, const float *spectrum, float *gradient);
void spectral_add_bias(const struct spectral *spectral, const void *d, int count, float *gradient);

#endif
