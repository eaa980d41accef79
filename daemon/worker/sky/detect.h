/* Finds sources on a coadd (with SEP, Barbary 2016, JOSS 1, 58, after Bertin & Arnouts 1996): on the sum of
 * all bands, weighted by invvar and by the colours of an emission-line galaxy, filtered by a Gaussian a
 * little wider than the PSF, in units of its own noise. Both mock and inject take what is found here for
 * their catalogues, from the planes as they were read back, so that reals and fakes are selected alike. */
#ifndef DECOY_SKY_DETECT_H
#define DECOY_SKY_DETECT_H

#include "daemon/worker/sky/coadd.h"

#include <stddef.h>

/* What a source must reach on the filtered image, in sigma; spurious ones are then under 1 in 1,000. */
#define DETECT_SIGMA 5.0

struct detection {
    double x_px, y_px; /* centre of the light above threshold, 0-indexed */
    double snr;        /* peak of the filtered image */
    int segment;       /* its number in segments, from 1 */
};

struct detections {
    size_t count;
    struct detection *items;
    int *segments; /* width x height: which source a pixel belongs to, 0: none */
};

/* Colour weights of the bands, for detection and for centres. */
extern const double DETECT_WEIGHTS[BAND_COUNT];

int detections_find(struct detections *found, const struct coadd *coadd, const double fwhm_px[BAND_COUNT],
                    struct err *err);
void detections_free(struct detections *found); /* its contents */

#endif
