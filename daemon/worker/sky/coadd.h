/* All planes of one brick: image and invvar in g, r, z. */
#ifndef DECOY_SKY_COADD_H
#define DECOY_SKY_COADD_H

#include "daemon/worker/sky/plane.h"
#include "daemon/worker/sky/render.h"
#include "daemon/worker/sky/survey.h"

#include <stdint.h>

struct coadd {
    long width, height;
    struct plane image[BAND_COUNT], invvar[BAND_COUNT];
};

/* Reads the six planes, which must be of one size. An invvar that is negative counts as 0. */
int coadd_read(struct coadd *coadd, const struct survey *survey, const struct brick *brick, struct err *err);

/* Writes them under directory, each pixel to a small fraction of its plane's noise: an image to sigma / 32,
 * an invvar to 1/4000 of its median, so that writing a plane twice leaves no trace to be learnt. */
int coadd_publish(const struct coadd *coadd, const char *directory, const struct brick *brick, uint64_t seed,
                  struct err *err);

/* What coadd_publish wrote under directory. */
int coadd_read_back(struct coadd *coadd, const char *directory, const struct brick *brick, struct err *err);

void coadd_free(struct coadd *coadd); /* its contents */

/* A plane of zeros a band, as large as the coadd: noiseless light to be. The caller frees with light_free, also
 * after a failure; at first all NULL. */
int light_make(float *light[BAND_COUNT], const struct coadd *coadd, struct err *err);
void light_free(float *(*light)[BAND_COUNT]);

#endif
