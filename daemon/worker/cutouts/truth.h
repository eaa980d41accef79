/* What was injected into a brick (obiwan's simcat, legacysim's table of injected sources), and which of it its
 * run's catalogue found. A user's own list of places in a brick is read as one, too. legacysim: https://legacysim.readthedocs.io, "Data model" and "Pre-processing". */
#ifndef DECOY_CUTOUTS_TRUTH_H
#define DECOY_CUTOUTS_TRUTH_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/worker/sky/catalogue.h"
#include "daemon/worker/sky/wcs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRUTH_BANDS_MAX = 8 };

struct truth {
    size_t rows, matched;
    size_t collided; /* rows of the file that were not injected, and are none of ours */
    size_t merged;   /* matched at first, but the row is nearer to a source that was there before */
    int64_t *id;
    double *x, *y;                /* px, 0-indexed */
    double *ra, *dec;             /* deg */
    double *mag[TRUTH_BANDS_MAX]; /* true, extinction-corrected, in the order of bands */
    bool dimmed[TRUTH_BANDS_MAX]; /* mag is not corrected yet: the file has no mw_transmission_<b> */
    double *rhalf, *sersic;       /* arcsec; NaN where the file has none */
    bool bare;                    /* a list of places: it tells no magnitudes */
    long *row;                    /* of the catalogue, or -1: not found */
    double *separation;           /* px */
};

/* Columns: id; ra and dec (to pixels by the image's WCS), or where these are not there x and y; gflux, rflux,
 * ... (or flux_g, ...: nanomaggies as seen, dimmed by the galaxy's dust) and, if there, mw_transmission_<b>,
 * rhalf (or shape_r), n (or sersic, sersicn) and collided: legacysim leaves such sources out of the image.
 *
 * obiwan's own x and y count pixels from 1 (radec2pixelxy of astrometry.net), so ra and dec go first; x and y
 * that stand alone count from 0. places: the file is a user's, and need not tell fluxes. */
int truth_open(struct truth **out, const char *path, bool places, const char *bands, struct wcs *wcs,
               struct err *err);
void truth_close(struct truth *truth);
CLEANUP_DEFINE(truth_close_ptr, struct truth, truth_close)

/* Finds each injected galaxy's row: nearest, one to one, within radius. Where the truth has no transmission
 * its magnitudes are corrected by that of the nearest row, near or far. */
int truth_match(struct truth *truth, struct catalogue *catalogue, double radius_px, struct err *err);

/* Takes back the matches whose row lies nearer to a row of `before`, the brick's catalogue without fakes: a
 * fake that fell on a source of the survey and was measured as one with it. Among reals such a pair counts
 * once, under the brighter one's place; without this it would count among fakes every time. */
int truth_drop_merged(struct truth *truth, struct catalogue *catalogue, struct catalogue *before,
                      struct err *err);

#endif
