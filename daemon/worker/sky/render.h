/* Draws point sources and Sersic galaxies as a coadd shows them: convolved with its PSF, integrated over
 * pixels, at any sub-pixel position. The one renderer of mock and inject.
 *
 * A source's spectrum is exact: phase x pixel (sinc) x PSF (psf.h) x galaxy (sersic.h), all sampled on the
 * lattice of a square stamp, wave numbers beyond the pixel grid's folded back as sampling does. One inverse
 * FFT a band gives the pixels. What lies outside the stamp (less than 0.1 % of the flux of an exponential
 * galaxy) wraps around, so that the sum over the stamp is the flux. */
#ifndef DECOY_SKY_RENDER_H
#define DECOY_SKY_RENDER_H

#include "common/cleanup.h"
#include "common/err.h"

#define BAND_COUNT 3
#define BAND_NAMES "grz"

/* One source. Pixels are 0-indexed, centres at whole numbers. */
struct light {
    double x_px, y_px;
    double size_px;          /* half-light radius along the major axis; 0: a point source */
    double n;                /* Sersic index, SERSIC_N_MIN .. SERSIC_N_MAX */
    double ba;               /* minor over major axis, 0.01 .. 1 */
    double angle_rad;        /* of the major axis, from the +x axis towards +y */
    double flux[BAND_COUNT]; /* nanomaggies */
};

struct renderer;

/* fwhm_px: of the PSF, a band each. */
int renderer_create(struct renderer **out, const double fwhm_px[BAND_COUNT], struct err *err);
void renderer_destroy(struct renderer *renderer);
CLEANUP_DEFINE(renderer_destroy_ptr, struct renderer, renderer_destroy)

/* A source's pixels: side x side a band, row-major, pixel (0, 0) being pixel (x0, y0) of the image. */
struct stamp {
    long x0, y0;
    int side;
    const double *pixels[BAND_COUNT]; /* the renderer's, until its next call */
};

int renderer_draw(struct renderer *renderer, const struct light *light, struct stamp *stamp, struct err *err);

/* Adds a stamp's band to a plane of width x height, what lies outside left out. */
void stamp_add(const struct stamp *stamp, int band, float *plane, long width, long height);

#endif
