/* Noise of a coadd: Gaussian, of the sky and of the sources' own photons. Both jobs add light by the same
 * function, so that a galaxy of a mock and one injected into it differ in nothing. */
#ifndef DECOY_SKY_NOISE_H
#define DECOY_SKY_NOISE_H

#include "common/rng.h"

#include <stdbool.h>
#include <stddef.h>

/* image = sky noise where invvar > 0, else 0. */
void sky_noise_fill(float *image, const float *invvar, size_t count, struct rng *rng);

/* Adds light of noiseless flux S (nanomaggies a pixel) where invvar > 0:
 *   image += S + N(0, S / gain),  1 / invvar += S / gain;   gain in photons a nanomaggy.
 * Without `noise` the first has no N. */
void light_add(float *image, float *invvar, const float *light, size_t count, double gain, bool noise,
               struct rng *rng);

#endif
