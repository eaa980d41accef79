/* Under what sky a mock brick was seen: seeing, extinction, and a depth that varies over it. */
#ifndef DECOY_MOCK_CONDITIONS_H
#define DECOY_MOCK_CONDITIONS_H

#include "daemon/worker/mock/tiling.h"
#include "daemon/worker/sky/tractor.h"

#include <stdbool.h>
#include <stdint.h>

/* The survey's knobs (spec_table.h, kind mock). */
struct mock_survey {
    uint64_t seed;
    long size_px;
    double pixscale_arcsec, galaxies_arcmin2, stars_arcmin2;
    double seeing_arcsec[BAND_COUNT], seeing_scatter;
    double depth_mag[BAND_COUNT], depth_scatter_mag;
    double gain;
};

/* Seeing, extinction, and the invvar of one exposure, so that the median depth of many bricks is that asked
 * for. */
void conditions_draw(struct observation *observation, const struct mock_survey *survey,
                     const struct tile *tile);

/* The sky's invvar before there are sources: so many exposures, each with its chip edge, gap or bad column;
 * in some bricks some pixels have none. invvar: size_px x size_px. */
void conditions_fill_invvar(float *invvar, const struct mock_survey *survey,
                            const struct observation *observation, const struct brick *brick, int band);

/* The cards of an image or invvar, as a coadd of the Legacy Surveys has them. The caller's to free. */
char *conditions_cards(const struct mock_survey *survey, const struct observation *observation,
                       const struct tile *tile, int band, bool invvar);

#endif
