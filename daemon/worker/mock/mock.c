/* Job mock: a survey in Legacy Survey layout, made up. <out>/ survey-bricks.fits.gz, coadd/, tractor/, and
 * truth/<AAA>/ truth-<brick>.fits with all that was drawn. Each brick: sky noise of a depth that varies over
 * it, the light of stars and galaxies with its shot noise, written; then read back, and the catalogue made of
 * what is found there. Every number is a function of the seed and the brick's name. */
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/job.h"
#include "daemon/worker/mock/scene.h"
#include "daemon/worker/sky/brickwork.h"
#include "daemon/worker/sky/noise.h"
#include "daemon/worker/sky/streams.h"
#include "proto/spec.h"

#include <errno.h>
#include <string.h>

struct mock {
    struct mock_survey survey;
    const char *out;
    struct tile *tiles;
    struct brick *bricks; /* those of the tiles, in order of name */
    long count;
};

enum { COUNT_STARS, COUNT_GALAXIES, COUNT_DETECTED };
static const char *const COUNT_NAMES[] = {"stars", "galaxies", "detected", NULL};

static struct mock_survey read_survey(const json_t *spec)
{
    return (struct mock_survey){
        .seed = (uint64_t)spec_int(spec, "seed"),
        .size_px = spec_int(spec, "size"),
        .pixscale_arcsec = spec_real(spec, "pixscale"),
        .galaxies_arcmin2 = spec_real(spec, "galaxies"),
        .stars_arcmin2 = spec_real(spec, "stars"),
        .seeing_arcsec = {spec_real(spec, "seeing_g"), spec_real(spec, "seeing_r"),
                          spec_real(spec, "seeing_z")},
        .seeing_scatter = spec_real(spec, "seeing_scatter"),
        .depth_mag = {spec_real(spec, "depth_g"), spec_real(spec, "depth_r"), spec_real(spec, "depth_z")},
        .depth_scatter_mag = spec_real(spec, "depth_scatter"),
        .gain = spec_real(spec, "gain"),
    };
}

/* Empty planes with their cards and the sky's invvar. */
static int prepare_coadd(struct coadd *coadd, const struct mock *mock, const struct observation *observation,
                         const struct tile *tile, struct err *err)
{
    long size = mock->survey.size_px;
    size_t count = (size_t)size * (size_t)size;
    memset(coadd, 0, sizeof *coadd);
    coadd->width = coadd->height = size;
    for (int b = 0; b < BAND_COUNT; b++) {
        struct plane *image = &coadd->image[b], *invvar = &coadd->invvar[b];
        *image = (struct plane){.width = size, .height = size, .pixels = calloc(count, sizeof(float))};
        *invvar = (struct plane){.width = size, .height = size, .pixels = calloc(count, sizeof(float))};
        if (!image->pixels || !invvar->pixels)
            return err_set(err, -ENOMEM, "out of memory for a brick of %ld x %ld px", size, size);
        image->header = conditions_cards(&mock->survey, observation, tile, b, false);
        invvar->header = conditions_cards(&mock->survey, observation, tile, b, true);
        conditions_fill_invvar(invvar->pixels, &mock->survey, observation, &tile->brick, b);
    }
    return 0;
}

/* The planes as the telescope would have given them. */
static int expose(struct coadd *coadd, const struct mock *mock, const struct observation *observation,
                  const struct tile *tile, const struct scene *scene, struct err *err)
{
    CLEANUP(light_free) float *light[BAND_COUNT] = {NULL};
    int code = prepare_coadd(coadd, mock, observation, tile, err);
    size_t count = (size_t)(coadd->width * coadd->height);
    if (!code)
        code = light_make(light, coadd, err);
    if (!code)
        code = scene_render(scene, &mock->survey, observation, light, err);
    for (int b = 0; !code && b < BAND_COUNT; b++) {
        struct rng sky, shot;
        rng_init(&sky, mock->survey.seed, STREAM_SKY + (uint32_t)b, brick_index(&tile->brick));
        rng_init(&shot, mock->survey.seed, STREAM_SHOT + (uint32_t)b, brick_index(&tile->brick));
        sky_noise_fill(coadd->image[b].pixels, coadd->invvar[b].pixels, count, &sky);
        light_add(coadd->image[b].pixels, coadd->invvar[b].pixels, light[b], count, mock->survey.gain, true,
                  &shot);
    }
    return code;
}

static int publish_truth(const struct mock *mock, const struct brick *brick,
                         const struct observation *observation, const struct scene *scene, struct wcs *wcs,
                         struct brick_yield *yield, struct err *err)
{
    CLEANUP(free_ptr) char *folder = str_format("%s/truth/%.3s", mock->out, brick->name);
    CLEANUP(free_ptr) char *path = str_format("%s/truth-%s.fits", folder, brick->name);
    int code = path_make_directories(folder, 0777, err);
    if (!code)
        code = simcat_publish(path, observation, wcs, scene->rows, scene->count, true, err);
    if (!code)
        file_list_add(&yield->files, TAKE(path));
    return code;
}

/* The catalogue of the coadd as it lies on disk. */
static int publish_catalogue(const struct mock *mock, const struct brick *brick,
                             const struct observation *observation, struct wcs *wcs,
                             struct brick_yield *yield, struct err *err)
{
    CLEANUP(coadd_free) struct coadd coadd = {0};
    CLEANUP(free_ptr) struct measured *rows = NULL;
    CLEANUP(free_ptr) char *path = NULL;
    size_t count = 0;
    int code = coadd_read_back(&coadd, mock->out, brick, err);
    if (!code)
        code = sources_measure(&coadd, observation, &rows, &count, err);
    if (!code)
        code = survey_catalogue_path(mock->out, brick, &path, err);
    if (!code)
        code = tractor_publish(path, brick, observation, wcs, rows, count, err);
    if (!code)
        file_list_add(&yield->files, TAKE(path));
    yield->counts[COUNT_DETECTED] = (double)count;
    return code;
}

static int make_brick(void *context, const struct brick *brick, struct brick_yield *yield, struct err *err)
{
    const struct mock *mock = context;
    const struct tile *tile = &mock->tiles[brick - mock->bricks];
    CLEANUP(scene_free) struct scene scene = {0};
    CLEANUP(coadd_free) struct coadd coadd = {0};
    CLEANUP(wcs_close_ptr) struct wcs *wcs = NULL;
    struct observation observation;
    conditions_draw(&observation, &mock->survey, tile);
    observation.brickid = (brick - mock->bricks) + 1;
    int code = scene_draw(&scene, &mock->survey, brick, err);
    if (!code)
        code = expose(&coadd, mock, &observation, tile, &scene, err);
    if (!code)
        code = wcs_open(&wcs, coadd.image[0].header, brick->name, err);
    if (!code)
        code = coadd_publish(&coadd, mock->out, brick, mock->survey.seed, err);
    if (!code)
        code = list_planes(&yield->files, mock->out, brick, err);
    if (!code)
        code = publish_truth(mock, brick, &observation, &scene, wcs, yield, err);
    if (!code)
        code = publish_catalogue(mock, brick, &observation, wcs, yield, err);
    yield->counts[COUNT_STARS] = (double)scene.stars;
    yield->counts[COUNT_GALAXIES] = (double)(scene.count - scene.stars);
    return code;
}

static int lay_tiles(struct mock *mock, struct err *err)
{
    double side_deg = (double)mock->survey.size_px * mock->survey.pixscale_arcsec / 3600;
    int code = tiling_create(&mock->tiles, mock->count, side_deg, err);
    if (code)
        return code;
    mock->bricks = calloc((size_t)mock->count, sizeof *mock->bricks);
    if (!mock->bricks)
        return err_set(err, -ENOMEM, "out of memory for %ld bricks", mock->count);
    for (long i = 0; i < mock->count; i++)
        mock->bricks[i] = mock->tiles[i].brick;
    return 0;
}

static int make_survey(struct mock *mock, struct job *job, struct err *err)
{
    json_t *result = NULL, *made_from = json_deep_copy(job->spec);
    json_object_del(made_from, "out");
    json_object_del(made_from, "brick_time");
    json_object_set_new(made_from, "kind", json_string("mock"));
    json_object_set_new(made_from, "version", json_string(DECOY_VERSION));
    const struct brickwork work = {.out = mock->out,
                                   .bricks = mock->bricks,
                                   .count = mock->count,
                                   .limit_s = spec_real(job->spec, "brick_time"),
                                   .made_from = made_from,
                                   .names = COUNT_NAMES,
                                   .context = mock,
                                   .make = make_brick};
    int code = brickwork_run(&work, job, &result, err);
    if (!code && team_rank(job->team) == 0)
        code = tiling_publish(mock->tiles, mock->count, mock->out, err);
    if (result)
        code = code ? code : link_result(job->link, json_incref(result), err);
    json_decref(result);
    json_decref(made_from);
    return code;
}

int mock_run(struct job *job, struct err *err)
{
    struct mock mock = {.survey = read_survey(job->spec),
                        .out = spec_text(job->spec, "out"),
                        .count = spec_int(job->spec, "bricks")};
    int code = path_make_directories(mock.out, 0777, err);
    if (!code)
        code = lay_tiles(&mock, err);
    if (!code)
        code = make_survey(&mock, job, err);
    free(mock.tiles);
    free(mock.bricks);
    return code;
}
