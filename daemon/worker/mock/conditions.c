/* See conditions.h. */
#include "daemon/worker/mock/conditions.h"
#include "common/rng.h"
#include "daemon/worker/sky/cards.h"
#include "daemon/worker/sky/photometry.h"
#include "daemon/worker/sky/psf.h"
#include "daemon/worker/sky/streams.h"

#include <math.h>
#include <string.h>

enum { EXPOSURES = 4, RELEASE = 9999 };

/* How often an exposure has a chip's edge in the brick, or the gap between two chips, and how wide that is;
 * how often all exposures share a gap (no dithering), or a bad column. */
#define EDGE_CHANCE        0.15
#define GAP_CHANCE         0.40
#define GAP_LEAST_PX       20
#define GAP_MOST_PX        60
#define SHARED_GAP_CHANCE  0.15
#define SHARED_GAP_PX      10
#define SHARED_LINE_CHANCE 0.50

/* A(band) / E(B-V): DR9's, from Schlafly & Finkbeiner 2011 for DECam. */
static const double EXTINCTION[BAND_COUNT] = {3.214, 2.165, 1.211};

static double deviate(struct rng *rng)
{
    return fmin(fmax(rng_normal(rng), -2.5), 2.5);
}

void conditions_draw(struct observation *observation, const struct mock_survey *survey,
                     const struct tile *tile)
{
    struct rng rng;
    rng_init(&rng, survey->seed, STREAM_CONDITIONS, brick_index(&tile->brick));
    memset(observation, 0, sizeof *observation);
    observation->release = RELEASE;
    observation->pixscale_arcsec = survey->pixscale_arcsec;
    double ebv = 0.03 * exp(0.4 * deviate(&rng));
    for (int b = 0; b < BAND_COUNT; b++) {
        double fwhm = survey->seeing_arcsec[b] * exp(survey->seeing_scatter * deviate(&rng));
        double depth = survey->depth_mag[b] + survey->depth_scatter_mag * deviate(&rng);
        double sigma1 = flux_of_mag(depth) / 5; /* of a point source's flux */
        observation->fwhm_arcsec[b] = fwhm;
        observation->mw_transmission[b] = pow(10, -0.4 * EXTINCTION[b] * ebv);
        observation->exposure_invvar[b] =
            1 / (sigma1 * sigma1 * psf_norm2(fwhm / survey->pixscale_arcsec)) / EXPOSURES;
    }
    observation->ra_deg[0] = tile->ra1_deg;
    observation->ra_deg[1] = tile->ra2_deg;
    observation->dec_deg[0] = tile->dec1_deg;
    observation->dec_deg[1] = tile->dec2_deg;
}

/* Lowers counts by `by` on a band of `width` px across the brick, at random, along x or y. */
static void cut_strip(unsigned char *counts, long size, long width, unsigned by, struct rng *rng)
{
    bool upright = rng_uniform(rng) < 0.5;
    long first = (long)rng_below(rng, (uint64_t)size) - width / 2;
    long low = first < 0 ? 0 : first, high = first + width > size ? size : first + width;
    for (long y = upright ? 0 : low; y < (upright ? size : high); y++) {
        for (long x = upright ? low : 0; x < (upright ? high : size); x++) {
            unsigned char *count = &counts[y * size + x];
            *count = (unsigned char)(*count > by ? *count - by : 0);
        }
    }
}

static void cut_exposure(unsigned char *counts, long size, struct rng *rng)
{
    if (rng_uniform(rng) < EDGE_CHANCE)
        cut_strip(counts, size, size, 1, rng);
    if (rng_uniform(rng) < GAP_CHANCE)
        cut_strip(counts, size, (long)rng_range(rng, GAP_LEAST_PX, GAP_MOST_PX), 1, rng);
    cut_strip(counts, size, 1, 1, rng);
}

void conditions_fill_invvar(float *invvar, const struct mock_survey *survey,
                            const struct observation *observation, const struct brick *brick, int band)
{
    struct rng rng;
    long size = survey->size_px;
    size_t count = (size_t)size * (size_t)size;
    unsigned char *counts = (unsigned char *)invvar; /* the plane itself is room enough */
    rng_init(&rng, survey->seed, STREAM_EXPOSURES, brick_index(brick) + (uint64_t)band);
    memset(counts, EXPOSURES, count);
    for (int i = 0; i < EXPOSURES; i++)
        cut_exposure(counts, size, &rng);
    if (rng_uniform(&rng) < SHARED_GAP_CHANCE)
        cut_strip(counts, size, SHARED_GAP_PX, EXPOSURES, &rng);
    if (rng_uniform(&rng) < SHARED_LINE_CHANCE)
        cut_strip(counts, size, 1, EXPOSURES, &rng);
    for (size_t i = count; i-- > 0;) /* from behind: pixel i covers counts 4i .. 4i + 3 */
        invvar[i] = (float)(observation->exposure_invvar[band] * counts[i]);
}

static void add_wcs(char **cards, const struct mock_survey *survey, const struct tile *tile)
{
    double middle = 0.5 * (double)(survey->size_px + 1), scale = survey->pixscale_arcsec / 3600;
    cards_add_text(cards, "CTYPE1", "RA---TAN", "tangent plane projection");
    cards_add_text(cards, "CTYPE2", "DEC--TAN", "tangent plane projection");
    cards_add_text(cards, "CUNIT1", "deg", "of ra");
    cards_add_text(cards, "CUNIT2", "deg", "of dec");
    cards_add_real(cards, "CRVAL1", tile->ra_deg, "reference ra");
    cards_add_real(cards, "CRVAL2", tile->dec_deg, "reference dec");
    cards_add_real(cards, "CRPIX1", middle, "reference x");
    cards_add_real(cards, "CRPIX2", middle, "reference y");
    cards_add_real(cards, "CD1_1", -scale, "deg a pixel");
    cards_add_real(cards, "CD1_2", 0, "deg a pixel");
    cards_add_real(cards, "CD2_1", 0, "deg a pixel");
    cards_add_real(cards, "CD2_2", scale, "deg a pixel");
    cards_add_text(cards, "RADESYS", "ICRS", "");
}

char *conditions_cards(const struct mock_survey *survey, const struct observation *observation,
                       const struct tile *tile, int band, bool invvar)
{
    const char name[2] = {BAND_NAMES[band], '\0'};
    char *cards = NULL;
    add_wcs(&cards, survey, tile);
    cards_add_text(&cards, "BRICKNAM", tile->brick.name, "brick");
    cards_add_real(&cards, "RAMIN", tile->ra1_deg, "brick's ra, least");
    cards_add_real(&cards, "RAMAX", tile->ra2_deg, "brick's ra, most");
    cards_add_real(&cards, "DECMIN", tile->dec1_deg, "brick's dec, least");
    cards_add_real(&cards, "DECMAX", tile->dec2_deg, "brick's dec, most");
    cards_add_text(&cards, "SURVEY", "decoy mock", "galaxies that were drawn");
    cards_add_text(&cards, "DRVERSIO", "9999", "data release");
    cards_add_text(&cards, "DECOYVER", DECOY_VERSION, "decoy that made it");
    cards_add_text(&cards, "IMTYPE", invvar ? "invvar" : "image", "");
    cards_add_text(&cards, "BAND", name, "");
    cards_add_text(&cards, "FILTER", name, "");
    cards_add_real(&cards, "MAGZERO", 22.5, "magnitude of a nanomaggy");
    cards_add_text(&cards, "BUNIT", invvar ? "1/nanomaggy^2" : "nanomaggy", "AB");
    cards_add_real(&cards, "PSFFWHM", observation->fwhm_arcsec[band], "arcsec; Moffat of beta 3.5");
    cards_add_real(&cards, "GAIN", survey->gain, "photons a nanomaggy, of sources");
    cards_add_real(&cards, "EXPINVV", observation->exposure_invvar[band],
                   "invvar of the sky in one exposure");
    return cards;
}
