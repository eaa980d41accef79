/* Tractor catalogues: found, measured and written, with the columns of DR9 that have a meaning here. */
#ifndef DECOY_SKY_TRACTOR_H
#define DECOY_SKY_TRACTOR_H

#include "daemon/worker/sky/coadd.h"
#include "daemon/worker/sky/measure.h"
#include "daemon/worker/sky/wcs.h"

#include <stddef.h>
#include <stdint.h>

/* What is known of a brick besides its pixels. */
struct observation {
    int64_t release, brickid;
    double pixscale_arcsec;
    double fwhm_arcsec[BAND_COUNT]; /* of the PSF */
    double mw_transmission[BAND_COUNT];
    double exposure_invvar[BAND_COUNT]; /* of one exposure, for nobs; 0: not known, nobs is 1 where there is
                                           any */
    double ra_deg[2], dec_deg[2]; /* bounds of the brick's own sky, for brick_primary; equal: not known */
};

/* From the survey's own catalogue (psfsize_g, psfsize_r and psfsize_z are required; where release, brickid
 * and mw_transmission lack they are 0, 0 and 1) and the cards of the coadd. Medians over the rows. */
int observation_read(struct observation *observation, const struct survey *survey, const struct brick *brick,
                     const struct coadd *coadd, struct err *err);

/* PSF FWHM in pixels. */
void observation_fwhm_px(const struct observation *observation, double fwhm_px[BAND_COUNT]);

/* Detection and measurement. *rows is the caller's to free. */
int sources_measure(const struct coadd *coadd, const struct observation *observation, struct measured **rows,
                    size_t *count, struct err *err);

int tractor_publish(const char *path, const struct brick *brick, const struct observation *observation,
                    struct wcs *wcs, const struct measured *rows, size_t count, struct err *err);

#endif
