/* See psf.h. */
#include "daemon/worker/sky/psf.h"

#include <math.h>

double psf_alpha(double fwhm)
{
    return 0.5 * fwhm / sqrt(exp2(1 / PSF_BETA) - 1);
}

double psf_transform(double x)
{
    return (1 + x * (1 + x / 3)) * exp(-x);
}

double psf_radius(double fwhm, double outside)
{
    return psf_alpha(fwhm) * sqrt(pow(outside, 1 / (1 - PSF_BETA)) - 1);
}

double psf_brightness(double fwhm, double r)
{
    double alpha = psf_alpha(fwhm);
    return (PSF_BETA - 1) / (M_PI * alpha * alpha) * pow(1 + r * r / (alpha * alpha), -PSF_BETA);
}

/* By Parseval's theorem, over the wave numbers that a pixel grid holds; a pixel's own transform is a sinc
 * in x and in y. */
double psf_norm2(double fwhm)
{
    enum { STEPS = 128 };
    double alpha = psf_alpha(fwhm), sum = 0;
    for (int j = 0; j < STEPS; j++) {
        for (int i = 0; i < STEPS; i++) {
            double kx = M_PI * (i + 0.5) / STEPS, ky = M_PI * (j + 0.5) / STEPS;
            double pixel = sin(0.5 * kx) / (0.5 * kx) * sin(0.5 * ky) / (0.5 * ky);
            double value = pixel * psf_transform(alpha * hypot(kx, ky));
            sum += value * value;
        }
    }
    return sum / (STEPS * STEPS);
}
