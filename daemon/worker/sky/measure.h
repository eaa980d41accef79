/* Measures detected sources the way Tractor does (Lang, Hogg & Mykytyn 2016, ascl:1604.008), in small: at the
 * source's centre, a point source and round exponential galaxies of a row of sizes, convolved with each
 * band's PSF, are fitted to all bands at once, weighted by invvar; the size that fits best gives fluxes and
 * half-light radius. */
#ifndef DECOY_SKY_MEASURE_H
#define DECOY_SKY_MEASURE_H

#include "daemon/worker/sky/coadd.h"
#include "daemon/worker/sky/detect.h"

struct measured {
    double x_px, y_px;                              /* 0-indexed */
    double flux[BAND_COUNT], flux_ivar[BAND_COUNT]; /* nanomaggies, as seen */
    double psfdepth[BAND_COUNT]; /* inverse variance of a point source's flux here, without its own photons */
    double invvar[BAND_COUNT];   /* at the centre's pixel; 0: no exposure */
    double invvar_around[BAND_COUNT]; /* median of the exposed pixels about it */
    double rhalf_px, rhalf_ivar;      /* 0 for a point source */
    double e1, e2;                    /* see galaxy_e1 (population.h); north up, east left */
    double gain_chi2;                 /* by how much chi^2 falls from a point source to a galaxy */
    double snr;
    char type[4]; /* PSF, REX (round), EXP */
};

struct measurer;

int measurer_create(struct measurer **out, const double fwhm_px[BAND_COUNT], struct err *err);
void measurer_destroy(struct measurer *measurer);
CLEANUP_DEFINE(measurer_destroy_ptr, struct measurer, measurer_destroy)

void measure_source(const struct measurer *measurer, const struct coadd *coadd,
                    const struct detections *found, size_t which, struct measured *measured);

#endif
