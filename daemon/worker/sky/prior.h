/* A user's table of galaxy properties, from which fakes are drawn row by row, with replacement: a CSV file
 * whose first line names the columns, or a FITS table. Columns, without regard to case: g, r, z (or mag_g
 * ...), extinction-corrected magnitudes; rhalf, shape_r, fwhm_or_rhalf or size, half-light radius in arcsec; and
 * where they are there n or sersic, ba, pa (degrees from north through east). Others are passed over. */
#ifndef DECOY_SKY_PRIOR_H
#define DECOY_SKY_PRIOR_H

#include "common/cleanup.h"
#include "common/err.h"
#include "common/rng.h"
#include "daemon/worker/sky/population.h"

#include <stddef.h>

struct prior;

/* A missing column, or a value that is no number or out of range, is an error that names file, line (of a
 * FITS table: row) and column. */
int prior_open(struct prior **out, const char *path, struct err *err);
void prior_close(struct prior *prior);
CLEANUP_DEFINE(prior_close_ptr, struct prior, prior_close)

size_t prior_rows(const struct prior *prior);

/* One galaxy; what the table lacks (n, ba, pa) is drawn from the mock's population. */
void prior_draw(const struct prior *prior, struct rng *rng, struct galaxy *galaxy);

#endif
