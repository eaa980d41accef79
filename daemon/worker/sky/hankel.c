/* See hankel.h. In u = ln r and w = ln k the integral is a correlation of r f(r) with e^v J0(e^v), whose
 * Fourier transform, the Mellin transform of J0 on the line 1 + i omega, is of modulus 1:
 *
 *   2^(i omega) Gamma((1 + i omega) / 2) / Gamma((1 - i omega) / 2)
 */
#include "daemon/worker/sky/hankel.h"

#include <complex.h>
#include <errno.h>
#include <fftw3.h>
#include <math.h>

enum { HALF = HANKEL_POINTS / 2 };

struct hankel {
    double grid[HANKEL_POINTS], real[HANKEL_POINTS];
    double complex wave[HALF + 1], kernel[HALF + 1];
    fftw_plan forward, backward;
};

double hankel_grid(int point)
{
    return exp(HANKEL_STEP * (point - HALF));
}

/* Argument of Gamma(1/2 + i y), by Stirling's series after 8 steps of recurrence. */
static double gamma_argument(double y)
{
    double complex z = 0.5 + I * y, shift = 0;
    for (int i = 0; i < 8; i++, z += 1)
        shift += clog(z);
    double complex stirling = (z - 0.5) * clog(z) - z + 1 / (12 * z) - 1 / (360 * z * z * z) +
                              1 / (1260 * cpow(z, 5)) - 1 / (1680 * cpow(z, 7));
    return cimag(stirling - shift);
}

static void fill_kernel(struct hankel *hankel)
{
    const double first = -HANKEL_STEP * HALF, length = HANKEL_STEP * HANKEL_POINTS;
    for (int m = 0; m <= HALF; m++) {
        double omega = 2 * M_PI * m / length;
        double phase = omega * M_LN2 + 2 * gamma_argument(0.5 * omega) - 2 * omega * first;
        hankel->kernel[m] = cexp(I * phase) / HANKEL_POINTS;
    }
    hankel->kernel[HALF] = creal(hankel->kernel[HALF]);
}

int hankel_create(struct hankel **out, struct err *err)
{
    CLEANUP(hankel_destroy_ptr) struct hankel *hankel = calloc(1, sizeof *hankel);
    if (!hankel)
        return err_set(err, -ENOMEM, "out of memory for a Hankel transform");
    hankel->forward = fftw_plan_dft_r2c_1d(HANKEL_POINTS, hankel->real, hankel->wave, FFTW_ESTIMATE);
    hankel->backward = fftw_plan_dft_c2r_1d(HANKEL_POINTS, hankel->wave, hankel->real, FFTW_ESTIMATE);
    if (!hankel->forward || !hankel->backward)
        return err_set(err, -ENOMEM, "FFTW cannot plan a transform of %d points", HANKEL_POINTS);
    fill_kernel(hankel);
    for (int j = 0; j < HANKEL_POINTS; j++)
        hankel->grid[j] = hankel_grid(j);
    *out = TAKE(hankel);
    return 0;
}

void hankel_destroy(struct hankel *hankel)
{
    if (!hankel)
        return;
    if (hankel->forward)
        fftw_destroy_plan(hankel->forward);
    if (hankel->backward)
        fftw_destroy_plan(hankel->backward);
    free(hankel);
}

void hankel_transform(struct hankel *hankel, const double *f, double *out)
{
    for (int j = 0; j < HANKEL_POINTS; j++)
        hankel->real[j] = f[j] * hankel->grid[j];
    fftw_execute(hankel->forward);
    for (int m = 0; m <= HALF; m++)
        hankel->wave[m] = conj(hankel->wave[m] * hankel->kernel[m]);
    fftw_execute(hankel->backward);
    for (int j = 0; j < HANKEL_POINTS; j++)
        out[j] = hankel->real[j] / hankel->grid[j];
}
