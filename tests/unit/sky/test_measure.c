#include "daemon/worker/sky/measure.h"
#include "daemon/worker/sky/noise.h"
#include "daemon/worker/sky/tractor.h"
#include "tests/unit/check.h"

#include <math.h>

enum { SIDE = 256, LIGHTS = 9 };
static const struct observation OBSERVATION = {
    .pixscale_arcsec = 0.25, .fwhm_arcsec = {1.25, 1.15, 1.05}, .mw_transmission = {1, 1, 1}};
#define SIGMA 0.004

/* A row of sources, three each way, of growing flux. */
static struct light light_at(int i, double size_px, double ba)
{
    double flux = 2.0 * (1 + i);
    return (struct light){50.2 + 70.3 * (i % 3),       50.7 + 70.6 * (i / 3), size_px, 1, ba, 0.8,
                          {flux, 1.6 * flux, 3 * flux}};
}

static void fill_coadd(struct coadd *coadd, double size_px, double ba, bool with_lights)
{
    CLEANUP(renderer_destroy_ptr) struct renderer *renderer = NULL;
    double fwhm_px[BAND_COUNT];
    size_t count = SIDE * SIDE;
    observation_fwhm_px(&OBSERVATION, fwhm_px);
    assert_int_equal(renderer_create(&renderer, fwhm_px, NULL), 0);
    memset(coadd, 0, sizeof *coadd);
    coadd->width = coadd->height = SIDE;
    for (int b = 0; b < BAND_COUNT; b++) {
        CLEANUP(free_ptr) float *sum = calloc(count, sizeof *sum);
        struct rng rng;
        coadd->image[b] =
            (struct plane){.width = SIDE, .height = SIDE, .pixels = calloc(count, sizeof(float))};
        coadd->invvar[b] =
            (struct plane){.width = SIDE, .height = SIDE, .pixels = calloc(count, sizeof(float))};
        for (size_t i = 0; i < count; i++)
            coadd->invvar[b].pixels[i] = (float)(1 / (SIGMA * SIGMA));
        rng_init(&rng, 7, 1, (uint64_t)b);
        sky_noise_fill(coadd->image[b].pixels, coadd->invvar[b].pixels, count, &rng);
        for (int i = 0; with_lights && i < LIGHTS; i++) {
            struct light light = light_at(i, size_px, ba);
            struct stamp stamp;
            assert_int_equal(renderer_draw(renderer, &light, &stamp, NULL), 0);
            stamp_add(&stamp, b, sum, SIDE, SIDE);
        }
        light_add(coadd->image[b].pixels, coadd->invvar[b].pixels, sum, count, 10000, true, &rng);
    }
}

static const struct measured *row_near(const struct measured *rows, size_t count, const struct light *light)
{
    for (size_t i = 0; i < count; i++) {
        if (hypot(rows[i].x_px - light->x_px, rows[i].y_px - light->y_px) < 1)
            return &rows[i];
    }
    fail_msg("nothing found near (%g, %g)", light->x_px, light->y_px);
    return NULL;
}

static void galaxies_come_back_as_they_were_put_in(void **state)
{
    (void)state;
    CLEANUP(coadd_free) struct coadd coadd;
    CLEANUP(free_ptr) struct measured *rows = NULL;
    size_t count = 0;
    fill_coadd(&coadd, 2.4, 1, true);
    assert_int_equal(sources_measure(&coadd, &OBSERVATION, &rows, &count, NULL), 0);
    assert_int_equal(count, LIGHTS);
    for (int i = 0; i < LIGHTS; i++) {
        struct light light = light_at(i, 2.4, 1);
        const struct measured *row = row_near(rows, count, &light);
        assert_near(row->x_px, light.x_px, 0.1);
        assert_near(row->y_px, light.y_px, 0.1);
        assert_near(row->rhalf_px, 2.4, 0.25);
        assert_true(row->rhalf_ivar > 0);
        assert_string_not_equal(row->type, "PSF");
        for (int b = 0; b < BAND_COUNT; b++) {
            double sigma = 1 / sqrt(row->flux_ivar[b]);
            assert_near(row->flux[b], light.flux[b], 0.03 * light.flux[b] + 4 * sigma);
            assert_near(row->invvar_around[b] * SIGMA * SIGMA, 1, 0.1);
        }
    }
}

static void point_sources_are_called_so(void **state)
{
    (void)state;
    CLEANUP(coadd_free) struct coadd coadd;
    CLEANUP(free_ptr) struct measured *rows = NULL;
    size_t count = 0;
    fill_coadd(&coadd, 0, 1, true);
    assert_int_equal(sources_measure(&coadd, &OBSERVATION, &rows, &count, NULL), 0);
    assert_int_equal(count, LIGHTS);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(rows[i].type, "PSF");
}

static void elongation_has_its_direction(void **state)
{
    (void)state;
    CLEANUP(coadd_free) struct coadd coadd;
    CLEANUP(free_ptr) struct measured *rows = NULL;
    size_t count = 0;
    double pa = 0.8 - M_PI / 2, e = (1 - 0.3) / (1 + 0.3); /* angle_rad is pa plus a quarter turn */
    fill_coadd(&coadd, 5, 0.3, true);
    assert_int_equal(sources_measure(&coadd, &OBSERVATION, &rows, &count, NULL), 0);
    struct light brightest = light_at(LIGHTS - 1, 5, 0.3);
    const struct measured *row = row_near(rows, count, &brightest);
    assert_string_equal(row->type, "EXP");
    assert_near(row->e1, e * cos(2 * pa), 0.2);
    assert_near(row->e2, e * sin(2 * pa), 0.2);
}

static void nothing_is_found_in_noise(void **state)
{
    (void)state;
    CLEANUP(coadd_free) struct coadd coadd;
    CLEANUP(free_ptr) struct measured *rows = NULL;
    size_t count = 99;
    fill_coadd(&coadd, 0, 1, false);
    assert_int_equal(sources_measure(&coadd, &OBSERVATION, &rows, &count, NULL), 0);
    assert_int_equal(count, 0);
}

static void a_bad_column_does_not_part_a_source(void **state)
{
    (void)state;
    CLEANUP(coadd_free) struct coadd coadd;
    CLEANUP(free_ptr) struct measured *rows = NULL;
    size_t count = 0;
    fill_coadd(&coadd, 2.4, 1, true);
    for (int b = 0; b < BAND_COUNT; b++) {
        for (long y = 0; y < SIDE; y++)
            coadd.image[b].pixels[y * SIDE + 50] = coadd.invvar[b].pixels[y * SIDE + 50] = 0;
    }
    assert_int_equal(sources_measure(&coadd, &OBSERVATION, &rows, &count, NULL), 0);
    assert_int_equal(count, LIGHTS);
    struct light under = light_at(6, 2.4, 1);
    const struct measured *row = row_near(rows, count, &under);
    assert_near(row->invvar[0], 0, 0);
    assert_near(row->flux[1], under.flux[1], 0.1 * under.flux[1]);
}

static void a_coadd_without_exposure_holds_nothing(void **state)
{
    (void)state;
    CLEANUP(coadd_free) struct coadd coadd;
    CLEANUP(free_ptr) struct measured *rows = NULL;
    size_t count = 99;
    fill_coadd(&coadd, 2.4, 1, true);
    for (int b = 0; b < BAND_COUNT; b++)
        memset(coadd.invvar[b].pixels, 0, SIDE * SIDE * sizeof(float));
    assert_int_equal(sources_measure(&coadd, &OBSERVATION, &rows, &count, NULL), 0);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(galaxies_come_back_as_they_were_put_in),
        cmocka_unit_test(point_sources_are_called_so),
        cmocka_unit_test(elongation_has_its_direction),
        cmocka_unit_test(nothing_is_found_in_noise),
        cmocka_unit_test(a_bad_column_does_not_part_a_source),
        cmocka_unit_test(a_coadd_without_exposure_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
