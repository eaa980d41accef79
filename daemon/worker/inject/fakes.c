/* See fakes.h. */
#include "daemon/worker/inject/fakes.h"
#include "daemon/worker/sky/noise.h"
#include "daemon/worker/sky/streams.h"

#include <errno.h>
#include <math.h>

/* Cells along one side: as few as hold `wanted` in the plane, at most as many as the separation allows, and a
 * pixel more, so that within a brick the fakes lie anywhere between pixel centres. */
static long cells_along(double side, double separation, double cell_wanted)
{
    long most = (long)floor(side / (separation + 1));
    long cells = cell_wanted > 0 ? (long)ceil(side / cell_wanted) : most;
    if (cells > most)
        cells = most;
    return cells < 1 ? 1 : cells;
}

static double wrapped(double value, double side)
{
    return value - side * floor(value / side);
}

size_t places_draw(long width, long height, double separation_px, size_t wanted, struct rng *rng, double **x,
                   double **y)
{
    double w = (double)width, h = (double)height;
    double cell_wanted = wanted ? sqrt(w * h / (double)wanted) : 0;
    long nx = cells_along(w, separation_px, cell_wanted), ny = cells_along(h, separation_px, cell_wanted);
    size_t cells = (size_t)(nx * ny), count = wanted && wanted < cells ? wanted : cells;
    CLEANUP(free_ptr) uint64_t *order = calloc(cells, sizeof *order);
    *x = calloc(cells, sizeof **x);
    *y = calloc(cells, sizeof **y);
    if (!order || !*x || !*y)
        return 0;
    double x0 = rng_range(rng, 0, w), y0 = rng_range(rng, 0, h), cell_x = w / (double)nx,
           cell_y = h / (double)ny;
    double play_x = fmax(cell_x - separation_px, 0), play_y = fmax(cell_y - separation_px, 0);
    for (size_t i = 0; i < cells; i++)
        order[i] = i;
    rng_shuffle(rng, order, cells);
    for (size_t i = 0; i < count; i++) {
        double column = (double)(order[i] % (uint64_t)nx), row = (double)(order[i] / (uint64_t)nx);
        (*x)[i] = wrapped(x0 + column * cell_x + play_x * rng_uniform(rng), w) - 0.5;
        (*y)[i] = wrapped(y0 + row * cell_y + play_y * rng_uniform(rng), h) - 0.5;
    }
    return count;
}

void fakes_draw(struct simcat_row *rows, size_t count, const double *x, const double *y,
                const struct prior *prior, struct rng *rng)
{
    for (size_t i = 0; i < count; i++) {
        rows[i].x_px = x[i];
        rows[i].y_px = y[i];
        if (prior)
            prior_draw(prior, rng, &rows[i].galaxy);
        else
            population_draw_galaxy(rng, &rows[i].galaxy);
    }
}

/* invvar *= 1 - dip x S / S_peak, over one fake. */
static void dip_invvar(struct coadd *coadd, const struct stamp *stamp, int band, double dip)
{
    int side = stamp->side;
    double peak = 0;
    for (int i = 0; i < side * side; i++)
        peak = fmax(peak, stamp->pixels[band][i]);
    for (long j = 0; j < side && peak > 0; j++) {
        for (long i = 0; i < side; i++) {
            long x = stamp->x0 + i, y = stamp->y0 + j;
            double share = stamp->pixels[band][j * side + i] / peak;
            if (x >= 0 && x < coadd->width && y >= 0 && y < coadd->height && share > 0)
                coadd->invvar[band].pixels[y * coadd->width + x] *= (float)(1 - dip * share);
        }
    }
}

static int render_fakes(struct coadd *coadd, float *light[BAND_COUNT], const struct simcat_row *rows,
                        size_t count, const struct observation *observation, const struct spoils *spoils,
                        struct err *err)
{
    CLEANUP(renderer_destroy_ptr) struct renderer *renderer = NULL;
    double fwhm_px[BAND_COUNT];
    observation_fwhm_px(observation, fwhm_px);
    for (int b = 0; b < BAND_COUNT; b++)
        fwhm_px[b] *= spoils->psf_scale;
    int code = renderer_create(&renderer, fwhm_px, err);
    for (size_t i = 0; !code && i < count; i++) {
        struct light source =
            galaxy_light(&rows[i].galaxy, rows[i].x_px + spoils->shift_px, rows[i].y_px + spoils->shift_px,
                         observation->pixscale_arcsec, observation->mw_transmission);
        struct stamp stamp;
        source.size_px *= spoils->size_scale;
        for (int b = 0; b < BAND_COUNT; b++)
            source.flux[b] *= spoils->flux_scale;
        code = renderer_draw(renderer, &source, &stamp, err);
        for (int b = 0; !code && b < BAND_COUNT; b++) {
            stamp_add(&stamp, b, light[b], coadd->width, coadd->height);
            if (spoils->invvar_dip > 0)
                dip_invvar(coadd, &stamp, b, spoils->invvar_dip);
        }
    }
    return code;
}

int fakes_add(struct coadd *coadd, const struct simcat_row *rows, size_t count,
              const struct observation *observation, const struct spoils *spoils, double gain, uint64_t seed,
              const struct brick *brick, struct err *err)
{
    CLEANUP(light_free) float *light[BAND_COUNT] = {NULL};
    size_t pixels = (size_t)(coadd->width * coadd->height);
    int code = light_make(light, coadd, err);
    if (!code)
        code = render_fakes(coadd, light, rows, count, observation, spoils, err);
    for (int b = 0; !code && b < BAND_COUNT; b++) {
        struct rng rng;
        rng_init(&rng, seed, STREAM_FAKES_SHOT, brick_index(brick) + (uint64_t)b);
        light_add(coadd->image[b].pixels, coadd->invvar[b].pixels, light[b], pixels, gain, !spoils->no_noise,
                  &rng);
    }
    return code;
}

void fakes_unshift(struct measured *found, size_t found_count, const struct simcat_row *rows, size_t count,
                   const struct spoils *spoils, double reach_px)
{
    if (spoils->shift_px == 0)
        return;
    for (size_t i = 0; i < found_count; i++) {
        double nearest = INFINITY;
        for (size_t k = 0; k < count; k++)
            nearest = fmin(nearest, hypot(found[i].x_px - rows[k].x_px - spoils->shift_px,
                                          found[i].y_px - rows[k].y_px - spoils->shift_px));
        if (nearest < reach_px) {
            found[i].x_px -= spoils->shift_px;
            found[i].y_px -= spoils->shift_px;
        }
    }
}
