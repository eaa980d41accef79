#include "common/rng.h"
#include "daemon/worker/audit/measure.h"
#include "tests/unit/check.h"

#include <math.h>

enum { SIDE = 64, CHANNELS = 6, ITEMS = SIDE * SIDE * CHANNELS };

static const char *const NAMES[] = {"g", "ivar_g", "r", "ivar_r", "z", "ivar_z"};

static struct layout layout;
static float stamp[ITEMS], scratch[SIDE * SIDE], rings[BANDS_MAX][RINGS];

/* Noise of sigma 0.5 about `level`, correlated along x by `mix`, a source at (x, y). */
static void draw_stamp(double x0, double y0, double flux, double level, double mix)
{
    struct rng rng;
    rng_init(&rng, 4, 1, 0);
    for (int i = 0; i < SIDE * SIDE; i++) {
        for (int b = 0; b < 3; b++) {
            float before = i ? stamp[(i - 1) * CHANNELS + 2 * b] - (float)level : 0;
            double noise = mix * before + sqrt(1 - mix * mix) * 0.5 * rng_normal(&rng);
            stamp[i * CHANNELS + 2 * b] = (float)(level + noise);
            stamp[i * CHANNELS + 2 * b + 1] = 4;
        }
    }
    for (int i = 0; i < SIDE * SIDE; i++) {
        double dx = i % SIDE - x0, dy = i / SIDE - y0;
        for (int b = 0; b < 3; b++)
            stamp[i * CHANNELS + 2 * b] += (float)(flux * exp(-0.5 * (dx * dx + dy * dy) / 4));
    }
}

static struct measure measured(void)
{
    struct measure measure;
    measure_stamp(&layout, stamp, scratch, &measure, rings);
    return measure;
}

static void centroid_is_where_the_source_is(void **state)
{
    (void)state;
    static const double PLACES[][2] = {{32, 32}, {32.5, 32.25}, {31, 33.7}, {34.2, 30.1}};
    for (int i = 0; i < 4; i++) {
        draw_stamp(PLACES[i][0], PLACES[i][1], 200, 0.3, 0);
        struct measure measure = measured();
        assert_near(measure.x_px, PLACES[i][0], 0.02);
        assert_near(measure.y_px, PLACES[i][1], 0.02);
    }
}

static void centroid_of_nothing_is_unknown(void **state)
{
    (void)state;
    draw_stamp(32, 32, 0, 0, 0);
    assert_true(isnan(measured().x_px));
    memset(stamp, 0, sizeof stamp); /* and no invvar either */
    struct measure measure = measured();
    assert_true(isnan(measure.x_px) && isnan(measure.dip[0]) && isnan(measure.level[0]) &&
                isnan(measure.texture[0]));
}

static void rim_tells_level_noise_and_texture(void **state)
{
    (void)state;
    draw_stamp(32, 32, 100, 0.25, 0);
    struct measure measure = measured();
    for (int b = 0; b < 3; b++) {
        assert_near(measure.level[b], 0.5, 0.1);
        assert_near(measure.noise[b], 1, 0.08);
        assert_near(measure.texture[b], 0, 0.05);
    }
    draw_stamp(32, 32, 100, 0, 0.4); /* 0.4 along x, 0 along y */
    assert_near(measured().texture[1], 0.2, 0.05);
}

static void dip_is_that_of_the_middle(void **state)
{
    (void)state;
    draw_stamp(32, 32, 100, 0, 0);
    assert_near(measured().dip[1], 0, 1e-6);
    for (int y = 26; y <= 38; y++) {
        for (int x = 26; x <= 38; x++)
            stamp[(y * SIDE + x) * CHANNELS + 3] *= 0.7f;
    }
    struct measure measure = measured();
    assert_near(measure.dip[1], -0.3, 1e-5);
    assert_near(measure.dip[0], 0, 1e-6);
    assert_near(rings[1][0], -0.3, 1e-5);
    assert_near(rings[1][RINGS - 1], 0, 1e-6);
}

static void dead_pixels_do_not_count(void **state)
{
    (void)state;
    draw_stamp(32.5, 32.5, 200, 0, 0);
    for (int y = 0; y < SIDE; y++) { /* a bad column */
        stamp[(y * SIDE + 5) * CHANNELS + 2] = 1e6f;
        stamp[(y * SIDE + 5) * CHANNELS + 3] = 0;
    }
    struct measure measure = measured();
    assert_near(measure.dip[1], 0, 1e-6);
    assert_near(measure.level[1], 0, 0.1);
    assert_near(measure.x_px, 32.5, 0.02);
}

static void hash_tells_stamps_apart(void **state)
{
    (void)state;
    draw_stamp(32, 32, 100, 0, 0);
    uint64_t hash = measured().hash;
    assert_true(measured().hash == hash);
    stamp[ITEMS - 1] += 1;
    assert_false(measured().hash == hash);
}

static void layout_wants_a_band_with_invvar(void **state)
{
    (void)state;
    static const char *const BAD[] = {"g", "ivar_r"};
    struct layout none;
    struct err err;
    assert_true(layout_make(&none, 16, 2, BAD, &err) < 0);
    assert_contains(err.text, "invvar");
    assert_int_equal(layout.bands, 3);
    assert_string_equal(layout.names[layout.reference], "r");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(centroid_is_where_the_source_is),   cmocka_unit_test(centroid_of_nothing_is_unknown),
        cmocka_unit_test(rim_tells_level_noise_and_texture), cmocka_unit_test(dip_is_that_of_the_middle),
        cmocka_unit_test(dead_pixels_do_not_count),          cmocka_unit_test(hash_tells_stamps_apart),
        cmocka_unit_test(layout_wants_a_band_with_invvar),
    };
    if (layout_make(&layout, SIDE, CHANNELS, NAMES, NULL) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    layout_free(&layout);
    return failed;
}
