#include "daemon/worker/sky/psf.h"
#include "daemon/worker/sky/render.h"
#include "tests/unit/check.h"

#include <math.h>

static const double FWHM_PX[BAND_COUNT] = {5.0, 4.6, 2.4};

struct moments {
    double sum, x, y, xx, yy, xy;
};

static struct moments moments_of(const struct stamp *stamp, int band)
{
    struct moments m = {0};
    for (int j = 0; j < stamp->side; j++) {
        for (int i = 0; i < stamp->side; i++) {
            double v = stamp->pixels[band][j * stamp->side + i], x = (double)stamp->x0 + i,
                   y = (double)stamp->y0 + j;
            m.sum += v;
            m.x += v * x;
            m.y += v * y;
        }
    }
    m.x /= m.sum;
    m.y /= m.sum;
    return m;
}

static void draw(const struct light *light, struct renderer **renderer, struct stamp *stamp)
{
    assert_int_equal(renderer_create(renderer, FWHM_PX, NULL), 0);
    assert_int_equal(renderer_draw(*renderer, light, stamp, NULL), 0);
}

static void flux_and_centre_are_those_asked_for(void **state)
{
    (void)state;
    static const struct light LIGHTS[] = {
        {100.0, 200.0, 0, 1, 1, 0, {1, 20, 300}},      {100.37, 200.81, 0, 1, 1, 0, {1, 2, 3}},
        {-3.21, 7.77, 1.7, 1, 0.5, 0.6, {1, 2, 3}},    {55.5, 66.5, 2.5, 0.5, 0.3, 2.0, {5, 2, 0.01}},
        {10.49, 11.51, 1.2, 2.2, 0.8, 1.0, {1, 2, 3}}, {10.1, 11.9, 3.0, 4, 0.9, -0.4, {1, 2, 3}},
    };
    for (size_t i = 0; i < sizeof LIGHTS / sizeof *LIGHTS; i++) {
        CLEANUP(renderer_destroy_ptr) struct renderer *renderer = NULL;
        struct stamp stamp;
        draw(&LIGHTS[i], &renderer, &stamp);
        for (int b = 0; b < BAND_COUNT; b++) {
            struct moments m = moments_of(&stamp, b);
            assert_near(m.sum / LIGHTS[i].flux[b], 1, 1e-4);
            assert_near(m.x, LIGHTS[i].x_px, 0.005);
            assert_near(m.y, LIGHTS[i].y_px, 0.005);
        }
    }
}

static void an_exponential_fits_its_stamp(void **state)
{
    (void)state;
    struct light light = {64, 64, 0.5 / 0.262, 1, 1, 0, {1, 1, 1}};
    CLEANUP(renderer_destroy_ptr) struct renderer *renderer = NULL;
    struct stamp stamp;
    draw(&light, &renderer, &stamp);
    double rim = 0;
    for (int i = 0; i < stamp.side; i++)
        rim += stamp.pixels[0][i] + stamp.pixels[0][i * stamp.side];
    assert_true(fabs(rim) < 2e-3);
}

static void half_the_light_lies_within_the_half_light_radius(void **state)
{
    (void)state;
    double size = 30; /* so large that the PSF hardly matters: it widens by about alpha^2 */
    struct light light = {500, 500, size, 1, 1, 0, {1, 1, 1}};
    CLEANUP(renderer_destroy_ptr) struct renderer *renderer = NULL;
    struct stamp stamp;
    draw(&light, &renderer, &stamp);
    double within = 0;
    for (int j = 0; j < stamp.side; j++) {
        for (int i = 0; i < stamp.side; i++) {
            if (hypot((double)stamp.x0 + i - 500, (double)stamp.y0 + j - 500) < size)
                within += stamp.pixels[2][j * stamp.side + i];
        }
    }
    assert_near(within, 0.5, 0.004);
}

static void position_angle_turns_from_x_to_y(void **state)
{
    (void)state;
    struct light light = {64, 64, 6, 1, 0.2, M_PI / 6, {1, 1, 1}};
    CLEANUP(renderer_destroy_ptr) struct renderer *renderer = NULL;
    struct stamp stamp;
    draw(&light, &renderer, &stamp);
    double xx = 0, yy = 0, xy = 0;
    for (int j = 0; j < stamp.side; j++) {
        for (int i = 0; i < stamp.side; i++) {
            double v = stamp.pixels[2][j * stamp.side + i], x = (double)stamp.x0 + i - 64,
                   y = (double)stamp.y0 + j - 64;
            if (hypot(x, y) > 20)
                continue;
            xx += v * x * x;
            yy += v * y * y;
            xy += v * x * y;
        }
    }
    assert_near(0.5 * atan2(2 * xy, xx - yy), M_PI / 6, 0.01);
}

static void squared_sum_of_a_point_source_is_its_norm(void **state)
{
    (void)state;
    struct light light = {64, 64, 0, 1, 1, 0, {1, 1, 1}};
    CLEANUP(renderer_destroy_ptr) struct renderer *renderer = NULL;
    struct stamp stamp;
    draw(&light, &renderer, &stamp);
    for (int b = 0; b < BAND_COUNT; b++) {
        double sum = 0;
        for (int i = 0; i < stamp.side * stamp.side; i++)
            sum += stamp.pixels[b][i] * stamp.pixels[b][i];
        assert_near(sum / psf_norm2(FWHM_PX[b]), 1, 0.01);
    }
}

static void a_psf_that_cannot_be_drawn_is_refused(void **state)
{
    (void)state;
    const double fwhm[BAND_COUNT] = {5, NAN, 5};
    struct renderer *renderer = NULL;
    struct err err = {0};
    assert_int_not_equal(renderer_create(&renderer, fwhm, &err), 0);
    assert_contains(err.text, "band r");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flux_and_centre_are_those_asked_for),
        cmocka_unit_test(an_exponential_fits_its_stamp),
        cmocka_unit_test(half_the_light_lies_within_the_half_light_radius),
        cmocka_unit_test(position_angle_turns_from_x_to_y),
        cmocka_unit_test(squared_sum_of_a_point_source_is_its_norm),
        cmocka_unit_test(a_psf_that_cannot_be_drawn_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
