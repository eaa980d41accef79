/* What was injected into a brick (obiwan's simcat), and which of it its run's catalogue found. */
#ifndef DECOY_CUTOUTS_TRUTH_H
#define DECOY_CUTOUTS_TRUTH_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/worker/sky/catalogue.h"
#include "daemon/worker/sky/wcs.h"

#include <stddef.h>
#include <stdint.h>

enum { TRUTH_BANDS_MAX = 8 };

struct truth {
    size_t rows, matched;
    size_t merged; /* matched at first, but the row is nearer to a source that was there before */
    int64_t *id;
    double *x, *y;                /* px, 0-indexed; from ra, dec by the image's WCS where the file has none */
    double *mag[TRUTH_BANDS_MAX]; /* true, extinction-corrected, in the order of bands */
    double *rhalf, *sersic;       /* arcsec; NaN where the file has none */
    long *row;                    /* of the catalogue, or -1: not found */
    double *separation;           /* px */
};

/* Columns: id; x and y, or ra and dec; gflux, rflux, ... (nanomaggies; or flux_g, ...) with
 * mw_transmission_<b> (1 where it is not there); rhalf (or shape_r) and n (or sersic), if there. */
int truth_open(struct truth **out, const char *path, const char *bands, struct wcs *wcs, struct err *err);
void truth_close(struct truth *truth);
CLEANUP_DEFINE(truth_close_ptr, struct truth, truth_close)

/* Finds each injected galaxy's row: nearest, one to one, within radius. */
int truth_match(struct truth *truth, struct catalogue *catalogue, double radius_px, struct err *err);

/* Takes back the matches whose row lies nearer to a row of `before`, the brick's catalogue without fakes: a
 * fake that fell on a source of the survey and was measured as one with it. Among reals such a pair counts
 * once, under the brighter one's place; without this it would count among fakes every time. */
int truth_drop_merged(struct truth *truth, struct catalogue *catalogue, struct catalogue *before,
                      struct err *err);

#endif
