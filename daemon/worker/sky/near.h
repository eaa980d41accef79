/* Places on the sky that lie near each other. */
#ifndef DECOY_SKY_NEAR_H
#define DECOY_SKY_NEAR_H

#include <stddef.h>
#include <stdint.h>

struct near_place {
    double ra_deg, dec_deg; /* finite */
    uint32_t index;         /* the caller's name for it */
    int32_t zone;           /* near_pairs' own */
};

typedef void near_meet(void *context, uint32_t one, uint32_t two);

/* Calls meet once for each pair at most `arcsec` apart on the sphere, in no order that means anything. Sorts places by zones of declination `arcsec` high, and each zone by right
 * ascension, so that a pair lies in one zone or in two that touch (Gray, Nieto-Santisteban & Szalay 2007,
 * arXiv:cs/0701171); O(n log n) and the pairs. Brings right ascensions to 0 .. 360. */
void near_pairs(struct near_place *places, size_t count, double arcsec, near_meet *meet, void *context);

#endif
