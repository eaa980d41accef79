/* What the random numbers of mock and inject are for (rng.h), one constant a purpose, and the index of a
 * brick and run, so that a number depends on names and seeds alone, not on which rank or in what order. */
#ifndef DECOY_SKY_STREAMS_H
#define DECOY_SKY_STREAMS_H

#include "daemon/worker/sky/survey.h"

#include <stdint.h>

enum {
    STREAM_DITHER = 0x5b10, /* seeds of FITS quantisation */
    STREAM_CONDITIONS,      /* seeing, depth, extinction of a mock brick */
    STREAM_EXPOSURES,       /* its chip edges and bad columns */
    STREAM_STARS,
    STREAM_GALAXIES,
    STREAM_SKY, /* sky noise, a stream a band */
    STREAM_SHOT = STREAM_SKY + 8,
    STREAM_FAKES = STREAM_SHOT + 8,
    STREAM_PLACES,
    STREAM_FAKES_SHOT,
};

/* A number for brick and run, far from any other's, to which small numbers may be added. */
uint64_t brick_index(const struct brick *brick);

#endif
