/* A stamp changed in ways that do not change whether it is real or fake, on raw pixels, image and invvar of
 * every band together:
 *
 *   symmetries  one of the eight of the square. About the stamp's middle, which lies between pixels: a source
 *               in pixel S/2 comes to lie in S/2 - 1 where a flip puts it. (It hides from the network whatever
 *               tells the classes apart by place or direction.)
 *   shift_px    whole pixels in row and column, each one of -shift_px .. shift_px. What comes in over the
 *               border is 0 in every channel: invvar 0 is no data, as beyond a survey's edge.
 *   noise       each image pixel gets Gaussian noise of `noise` times its own sigma, and its invvar is divided
 *               by 1 + noise^2, so that it stays true. Pixels without data stay so. */
#ifndef DECOY_NET_AUGMENT_H
#define DECOY_NET_AUGMENT_H

#include "common/rng.h"
#include "daemon/worker/net/input.h"

#include <stdbool.h>

struct augment {
    bool symmetries;
    int shift_px;
    double noise;
};

bool augment_is_on(const struct augment *augment);

/* One stamp, (S, S, C) to (S, S, C), of the shape and channels of input; a function of where rng stands. */
void augment_stamp(const struct augment *augment, const struct input *input, struct rng *rng,
                   const float *pixels, float *changed);

#endif
