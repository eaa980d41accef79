/* The properties of galaxies and stars of a mock survey: intrinsic (extinction-corrected) AB magnitudes in g,
 * r, z, sizes and shapes like those of emission-line galaxies. Sources of the numbers: population.c. */
#ifndef DECOY_SKY_POPULATION_H
#define DECOY_SKY_POPULATION_H

#include "common/rng.h"
#include "daemon/worker/sky/render.h"

#include <stdbool.h>

struct galaxy {
    double mag[BAND_COUNT];
    double rhalf_arcsec; /* half-light radius along the major axis; 0: a star */
    double n;            /* Sersic index */
    double ba;           /* minor over major axis */
    double pa_deg;       /* of the major axis, from north through east */
};

/* Every property drawn. */
void population_draw_galaxy(struct rng *rng, struct galaxy *galaxy);
void population_draw_star(struct rng *rng, struct galaxy *star);

/* The shape alone, for a prior that lacks it. */
double population_draw_n(struct rng *rng);
double population_draw_ba(struct rng *rng);

/* A galaxy at a place of a coadd (north up, east left): fluxes as seen, dimmed by mw_transmission. */
struct light galaxy_light(const struct galaxy *galaxy, double x_px, double y_px, double pixscale_arcsec,
                          const double mw_transmission[BAND_COUNT]);

/* Tractor's ellipticities (catalogue description of DR9): e = (1 - ba) / (1 + ba), e1 = e cos 2 pa, e2 = e
 * sin 2 pa. */
double galaxy_e1(const struct galaxy *galaxy);
double galaxy_e2(const struct galaxy *galaxy);

#endif
