/* What audit measures on one stamp: a pure function of its pixels. Letters: S side in px, C channels, B bands
 * (a band is an image channel "r" with its "ivar_r"). */
#ifndef DECOY_AUDIT_MEASURE_H
#define DECOY_AUDIT_MEASURE_H

#include "common/cleanup.h"
#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

enum { BANDS_MAX = 6, RINGS = 24 };

struct layout {
    int side, channels, bands;
    int image[BANDS_MAX], ivar[BANDS_MAX]; /* channels of a band */
    char names[BANDS_MAX][16];             /* letters, digits and _ */
    int reference;                         /* the band of centroids: r, or the first */
    size_t rim_count;                      /* pixels of the rim: S/8 px along the four edges */
    uint32_t *rim;                         /* their places y * S + x */
    uint8_t *ring; /* (S, S): distance from the middle in steps of S/2/RINGS; 255 beyond */
    uint8_t *zone; /* (S, S): 1 within S/16 of the middle, 2 in the rim, else 0 */
};

/* NAN: could not be measured (no light, no pixel with positive invvar). */
struct measure {
    uint64_t hash;            /* XXH3 of the stamp's bytes */
    float x_px, y_px;         /* centroid of the middle source, in the stamp */
    float dip[BANDS_MAX];     /* invvar of the middle / of the rim - 1, each relative to the stamp's median */
    float level[BANDS_MAX];   /* median of the rim over its sigma by invvar */
    float noise[BANDS_MAX];   /* 1.4826 MAD of the rim over its sigma by invvar */
    float texture[BANDS_MAX]; /* correlation of pixels next to one another in the rim */
    float masked[BANDS_MAX];  /* share of pixels without positive invvar */
};

/* Channels by name: "ivar_g" belongs to "g". Bands without invvar are left out; -EINVAL when none is left. */
int layout_make(struct layout *layout, int side, int channels, const char *const *names, struct err *err);
void layout_free(struct layout *layout);

/* pixels (S, S, C); scratch: S S floats; rings: invvar by distance / the stamp's median - 1, NAN where there
 * is none. */
void measure_stamp(const struct layout *layout, const float *pixels, float *scratch, struct measure *measure,
                   float rings[BANDS_MAX][RINGS]);

#endif
