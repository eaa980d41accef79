/* Sky to pixel and back by a FITS header (WCSLIB). Pixels here are 0-indexed, as Tractor's bx, by: the
 * centre of the first pixel is (0, 0), where the FITS standard says (1, 1). This is the only place where
 * the two meet; stamps of both classes are placed by pixels from here or from bx, by.
 *
 * A point that the projection does not reach becomes NaN. One thread at a time may use a struct wcs. */
#ifndef DECOY_SKY_WCS_H
#define DECOY_SKY_WCS_H

#include "common/cleanup.h"
#include "common/err.h"

#include <stddef.h>

struct wcs;

int wcs_open(struct wcs **out, const char *header /* 80-character cards */, const char *path /* for errors */, struct err *err);
void wcs_close(struct wcs *wcs);
CLEANUP_DEFINE(wcs_close_ptr, struct wcs, wcs_close)

int wcs_to_pixel(struct wcs *wcs, size_t count, const double *ra_deg, const double *dec_deg, double *x_px, double *y_px, struct err *err);
int wcs_to_sky(struct wcs *wcs, size_t count, const double *x_px, const double *y_px, double *ra_deg, double *dec_deg, struct err *err);
double wcs_pixscale(const struct wcs *wcs); /* arcsec a pixel, at CRPIX */

#endif
