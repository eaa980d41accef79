/* The bricks of a mock: tiles of the sky in rows of equal declination, as those of the Legacy Surveys
 * (0.25 deg, or a multiple that a larger brick fits in), named by their centres in tenths of a degree. */
#ifndef DECOY_MOCK_TILING_H
#define DECOY_MOCK_TILING_H

#include "common/err.h"
#include "daemon/worker/sky/survey.h"

struct tile {
    struct brick brick;
    int row, column;
    double ra_deg, dec_deg;                      /* centre */
    double ra1_deg, ra2_deg, dec1_deg, dec2_deg; /* bounds */
};

/* `count` tiles about RA 135, Dec 0, in order of name; fresh memory. side_deg: of a brick's image. -ERANGE
 * when the sky between Dec -60 and 60 does not hold so many. */
int tiling_create(struct tile **tiles, long count, double side_deg, struct err *err);

/* survey-bricks.fits.gz in `directory`. */
int tiling_publish(const struct tile *tiles, long count, const char *directory, struct err *err);

#endif
