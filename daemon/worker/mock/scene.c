/* See scene.h. */
#include "daemon/worker/mock/scene.h"
#include "daemon/worker/sky/streams.h"

#include <errno.h>
#include <math.h>

enum { MARGIN_PX = 40 }; /* sources beyond the edge shine into the brick */

/* By adding up exponential gaps: exact, and quick enough for the counts of a brick. */
static size_t draw_poisson(struct rng *rng, double mean)
{
    size_t count = 0;
    for (double sum = -log(rng_uniform(rng)); sum < mean; count++)
        sum -= log(rng_uniform(rng));
    return count;
}

static void draw_rows(struct simcat_row *rows, size_t count, bool stars, double side, struct rng *rng)
{
    for (size_t i = 0; i < count; i++) {
        rows[i].x_px = rng_range(rng, -MARGIN_PX - 0.5, side + MARGIN_PX - 0.5);
        rows[i].y_px = rng_range(rng, -MARGIN_PX - 0.5, side + MARGIN_PX - 0.5);
        if (stars)
            population_draw_star(rng, &rows[i].galaxy);
        else
            population_draw_galaxy(rng, &rows[i].galaxy);
    }
}

int scene_draw(struct scene *scene, const struct mock_survey *survey, const struct brick *brick,
               struct err *err)
{
    struct rng stars, galaxies;
    rng_init(&stars, survey->seed, STREAM_STARS, brick_index(brick));
    rng_init(&galaxies, survey->seed, STREAM_GALAXIES, brick_index(brick));
    double side = (double)survey->size_px,
           side_arcmin = (side + 2 * MARGIN_PX) * survey->pixscale_arcsec / 60;
    double area = side_arcmin * side_arcmin;
    scene->stars = draw_poisson(&stars, survey->stars_arcmin2 * area);
    scene->count = scene->stars + draw_poisson(&galaxies, survey->galaxies_arcmin2 * area);
    scene->rows = calloc(scene->count + 1, sizeof *scene->rows);
    if (!scene->rows)
        return err_set(err, -ENOMEM, "out of memory for %zu sources", scene->count);
    draw_rows(scene->rows, scene->stars, true, side, &stars);
    draw_rows(scene->rows + scene->stars, scene->count - scene->stars, false, side, &galaxies);
    return 0;
}

void scene_free(struct scene *scene)
{
    free(scene->rows);
    scene->rows = NULL;
}

int scene_render(const struct scene *scene, const struct mock_survey *survey,
                 const struct observation *observation, float *light[BAND_COUNT], struct err *err)
{
    CLEANUP(renderer_destroy_ptr) struct renderer *renderer = NULL;
    double fwhm_px[BAND_COUNT];
    observation_fwhm_px(observation, fwhm_px);
    int code = renderer_create(&renderer, fwhm_px, err);
    for (size_t i = 0; !code && i < scene->count; i++) {
        const struct simcat_row *row = &scene->rows[i];
        struct light source = galaxy_light(&row->galaxy, row->x_px, row->y_px, survey->pixscale_arcsec,
                                           observation->mw_transmission);
        struct stamp stamp;
        code = renderer_draw(renderer, &source, &stamp, err);
        for (int b = 0; !code && b < BAND_COUNT; b++)
            stamp_add(&stamp, b, light[b], survey->size_px, survey->size_px);
    }
    return code;
}
