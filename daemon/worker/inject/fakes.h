/* The fakes of one brick and realisation: where they are and what they are. */
#ifndef DECOY_INJECT_FAKES_H
#define DECOY_INJECT_FAKES_H

#include "daemon/worker/sky/prior.h"
#include "daemon/worker/sky/simcat.h"

#include <stddef.h>
#include <stdint.h>

/* How fakes differ, on purpose, from what the catalogues say of them. Neutral: all 1, 0 or false. */
struct spoils {
    double psf_scale, flux_scale, size_scale, shift_px, invvar_dip;
    bool no_noise;
};

/* Places of at most `wanted` fakes (0: as many as fit) on width x height px, no two nearer than separation_px
 * along both x and y. They stand on a lattice of random origin, wrapped at the edges, one to a cell and
 * somewhere within it: each place of the brick is as likely as any other, also near its edges. Returns how
 * many; *x and *y are the caller's to free. */
size_t places_draw(long width, long height, double separation_px, size_t wanted, struct rng *rng, double **x,
                   double **y);

/* A galaxy for each place, from prior (or, NULL, the mock's population). */
void fakes_draw(struct simcat_row *rows, size_t count, const double *x, const double *y,
                const struct prior *prior, struct rng *rng);

/* Adds the fakes' light, shot noise and invvar to the coadd, spoiled as asked. */
int fakes_add(struct coadd *coadd, const struct simcat_row *rows, size_t count,
              const struct observation *observation, const struct spoils *spoils, double gain, uint64_t seed,
              const struct brick *brick, struct err *err);

/* The catalogue knows nothing of a shift of the fakes' light: rows found on it are moved back. */
void fakes_unshift(struct measured *found, size_t found_count, const struct simcat_row *rows, size_t count,
                   const struct spoils *spoils, double reach_px);

#endif
