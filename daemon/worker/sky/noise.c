/* See noise.h. The shot noise is Gaussian: at the default gain of 300 photons a nanomaggy sky photons
 * outnumber a source's everywhere but in the cores of bright stars. */
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
