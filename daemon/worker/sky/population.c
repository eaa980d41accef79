/* See population.h. Where the numbers are from:
 *
 *   g - r, r - z   means 0.62 and 0.92, scatter 0.22 and 0.23, correlation 0.54: the 1,064 galaxies of obiwan's
 *                  prior eboss_elg_dr3deep2_EXP.csv (DECaLS DR3 photometry of DEEP2 galaxies, 0.6 < z < 1.4);
 *   counts         rise by 0.22 dex a magnitude from g = 21.0 to 24.7: flatter than the sky's 0.4, so that most
 *                  of a mock's galaxies are bright enough to be seen; the faint end lies past the cuts
 *                  (g < 24.5, z < 23);
 *   half light     log-normal, median 0.45" at g = 23 (DESI's emission-line galaxies: Raichoor et al. 2023,
 *                  AJ 165, 126, quote 0.4" to 0.5"), scatter 0.38 in ln, smaller by 6 % a magnitude;
 *   Sersic index   log-normal about 1, scatter 0.25 in ln, within 0.5 .. 4: discs;
 *   axis ratio     discs of thickness 0.2 at random inclinations (Hubble 1926);
 *   stars          dwarfs of type M, whose colours (g - r = 1.45, r - z = 1.6) lie outside the colour box of
 *                  emission-line galaxies with its padding, r from 16 to 22.5, counts rising by 0.15 dex a
 *                  magnitude. */
#include "daemon/worker/sky/population.h"
#include "daemon/worker/sky/photometry.h"
#include "daemon/worker/sky/sersic.h"

#include <math.h>

/* Magnitude between bright and faint, counts rising by slope dex a magnitude. */
static double draw_mag(struct rng *rng, double bright, double faint, double slope)
{
    double u = rng_uniform(rng), least = pow(10, slope * (bright - faint));
    return faint + log10(least + u * (1 - least)) / slope;
}

/* A normal deviate within 3 of 0: nature has no galaxy of colour 5 sigma. */
static double draw_deviate(struct rng *rng)
{
    double value;
    do
        value = rng_normal(rng);
    while (fabs(value) > 3);
    return value;
}

double population_draw_n(struct rng *rng)
{
    return fmin(fmax(exp(0.25 * draw_deviate(rng)), SERSIC_N_MIN), 4);
}

double population_draw_ba(struct rng *rng)
{
    const double thickness = 0.2;
    double cosine = rng_uniform(rng);
    return sqrt(thickness * thickness + (1 - thickness * thickness) * cosine * cosine);
}

void population_draw_galaxy(struct rng *rng, struct galaxy *galaxy)
{
    const double correlation = 0.54;
    double g = draw_mag(rng, 21.0, 24.7, 0.22);
    double first = draw_deviate(rng), second = draw_deviate(rng);
    double gr = 0.62 + 0.22 * first;
    double rz = 0.92 + 0.23 * (correlation * first + sqrt(1 - correlation * correlation) * second);
    galaxy->mag[0] = g;
    galaxy->mag[1] = g - gr;
    galaxy->mag[2] = g - gr - rz;
    galaxy->rhalf_arcsec = 0.45 * exp(0.38 * draw_deviate(rng) - 0.06 * (g - 23));
    galaxy->n = population_draw_n(rng);
    galaxy->ba = population_draw_ba(rng);
    galaxy->pa_deg = rng_range(rng, 0, 180);
}

void population_draw_star(struct rng *rng, struct galaxy *star)
{
    double r = draw_mag(rng, 16, 22.5, 0.15);
    *star = (struct galaxy){.n = 1, .ba = 1};
    star->mag[0] = r + 1.45 + 0.08 * draw_deviate(rng);
    star->mag[1] = r;
    star->mag[2] = r - 1.6 - 0.15 * draw_deviate(rng);
}

struct light galaxy_light(const struct galaxy *galaxy, double x_px, double y_px, double pixscale_arcsec,
                          const double mw_transmission[BAND_COUNT])
{
    struct light light = {.x_px = x_px, .y_px = y_px, .n = galaxy->n, .ba = galaxy->ba};
    light.size_px = galaxy->rhalf_arcsec / pixscale_arcsec;
    light.angle_rad = M_PI / 2 + galaxy->pa_deg * M_PI / 180;
    for (int b = 0; b < BAND_COUNT; b++)
        light.flux[b] = flux_of_mag(galaxy->mag[b]) * mw_transmission[b];
    return light;
}

static double ellipticity(const struct galaxy *galaxy)
{
    return (1 - galaxy->ba) / (1 + galaxy->ba);
}

double galaxy_e1(const struct galaxy *galaxy)
{
    return ellipticity(galaxy) * cos(2 * galaxy->pa_deg * M_PI / 180);
}

double galaxy_e2(const struct galaxy *galaxy)
{
    return ellipticity(galaxy) * sin(2 * galaxy->pa_deg * M_PI / 180);
}
