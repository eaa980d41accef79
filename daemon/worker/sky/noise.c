/* See noise.h. The shot noise is Gaussian: at the default gain of 10,000 photons a nanomaggy a pixel where a
 * source's photons count as much as the sky's holds over a thousand of them. */
#include "daemon/worker/sky/noise.h"

#include <math.h>

void sky_noise_fill(float *image, const float *invvar, size_t count, struct rng *rng)
{
    for (size_t i = 0; i < count; i++)
        image[i] = invvar[i] > 0 ? (float)(rng_normal(rng) / sqrt(invvar[i])) : 0;
}

void light_add(float *image, float *invvar, const float *light, size_t count, double gain, bool noise,
               struct rng *rng)
{
    for (size_t i = 0; i < count; i++) {
        if (light[i] == 0 || !(invvar[i] > 0))
            continue;
        double variance = fmax(light[i], 0) / gain;
        image[i] += light[i];
        if (noise)
            image[i] += (float)(sqrt(variance) * rng_normal(rng));
        invvar[i] = (float)(invvar[i] / (1 + variance * invvar[i]));
    }
}
