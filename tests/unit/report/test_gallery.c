#include "daemon/worker/report/gallery.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <math.h>

enum { SIDE = 64, CHANNELS = 6 };

static const char *const NAMES[CHANNELS] = {"g", "ivar_g", "r", "ivar_r", "z", "ivar_z"};

static float *make_stamp(float invvar)
{
    float *stamp = calloc(SIDE * SIDE * CHANNELS, sizeof *stamp);
    for (int i = 0; i < SIDE * SIDE; i++) {
        for (int c = 1; c < CHANNELS; c += 2)
            stamp[i * CHANNELS + c] = invvar;
    }
    return stamp;
}

static struct stamp_layout make_layout(void)
{
    struct stamp_layout layout;
    assert_int_equal(stamp_layout_fill(&layout, SIDE, NAMES, CHANNELS, NULL), 0);
    return layout;
}

static void layout_pairs_each_band_with_its_invvar(void **state)
{
    (void)state;
    struct stamp_layout layout = make_layout();
    assert_true(layout.bands == 3 && layout.image[1] == 2 && layout.invvar[1] == 3);
    assert_true(layout.colour[0] == 0 && layout.colour[1] == 1 && layout.colour[2] == 2);
    const char *const bare[] = {"ivar_r", "r"}, *const none[] = {"ivar_r"};
    assert_int_equal(stamp_layout_fill(&layout, SIDE, bare, 2, NULL), 0);
    assert_true(layout.bands == 1 && layout.image[0] == 1 && layout.invvar[0] == 0 && layout.colour[0] == -1);
    assert_int_equal(stamp_layout_fill(&layout, SIDE, bare + 1, 1, NULL), 0);
    assert_int_equal(layout.invvar[0], -1);
    assert_int_equal(stamp_layout_fill(&layout, SIDE, none, 1, NULL), -EINVAL);
}

/* Lupton et al. 2004: the ratios of the bands stay, whatever the brightness. */
static void colour_keeps_the_ratios_and_never_overflows(void **state)
{
    (void)state;
    const double scale[3] = {1, 1, 1};
    double faint[3], bright[3];
    stamp_colour((double[]){0.4, 0.2, 0.1}, scale, faint);
    assert_near((faint[0] - 0) / faint[1], 0.44 / 0.24, 1e-12); /* with the pedestal of 0.04 */
    stamp_colour((double[]){1e6, 5e5, 1e5}, scale, bright);
    for (int i = 0; i < 3; i++)
        assert_true(bright[i] >= 0 && bright[i] <= 1);
    stamp_colour((double[]){-5, -5, -5}, scale, bright);
    assert_true(bright[0] == 0 && bright[1] == 0 && bright[2] == 0);
}

static void rows_run_upwards(void **state)
{
    (void)state;
    struct stamp_layout layout = make_layout();
    struct stamp_scale scale;
    float *stamp = make_stamp(1e4f);
    stamp[(2 * SIDE + 5) * CHANNELS] = 10; /* row 2, column 5, in g */
    struct picture *picture = picture_create(SIDE * 2, SIDE * 2, (struct rgb){0, 0, 0});
    stamp_scale_fill(&scale, &layout, (const float *const[]){stamp}, 1);
    assert_near(scale.sigma[0], 0.01, 1e-9);
    stamp_draw_image(picture, 0, 0, 2, &layout, &scale, stamp, 0);
    assert_int_equal(picture->pixels[(2 * (SIDE - 1 - 2)) * SIDE * 2 + 2 * 5].g, 255);
    picture_destroy(picture);
    free(stamp);
}

static void stamps_without_weight_or_numbers_are_drawn(void **state)
{
    (void)state;
    struct stamp_layout layout = make_layout();
    float *empty = make_stamp(0), *broken = make_stamp(NAN);
    broken[0] = INFINITY;
    for (int i = 0; i < SIDE * SIDE; i++)
        broken[i * CHANNELS + 2] = NAN;
    struct gallery_example examples[] = {{.pixels = empty, .mag = NAN, .score = NAN},
                                         {.pixels = broken, .fake = 1, .mag = 22, .score = 1}};
    struct picture *picture = NULL;
    assert_int_equal(gallery_draw(&picture, &layout, "g", examples, 1, 2, NULL), 0);
    picture_destroy(picture);
    free(empty);
    free(broken);
}

/* The document's Figure 1: a row holds a real and a fake one, each a colour stamp, three bands, three
 * invvars. */
static void gallery_has_room_for_seven_panels_an_example(void **state)
{
    (void)state;
    struct stamp_layout layout = make_layout();
    float *stamp = make_stamp(1), *gradient = make_stamp(1);
    struct gallery_example examples[8] = {{0}};
    for (int i = 0; i < 7; i++) /* the last place stays empty */
        examples[i] = (struct gallery_example){.pixels = stamp, .fake = i % 2, .mag = 22.5, .score = 0.5};
    struct picture *picture = NULL;
    assert_int_equal(gallery_draw(&picture, &layout, "g", examples, 4, 2, NULL), 0);
    assert_true(picture->width_px > 2 * 7 * 128 && picture->width_px < 2 * 7 * 128 * 5 / 4);
    assert_true(picture->height_px > 4 * 128 && picture->height_px < 4 * 128 * 5 / 4);
    int pair_width_px = picture->width_px;
    picture_destroy(picture);
    examples[0].gradient = gradient;
    assert_int_equal(gallery_draw(&picture, &layout, "g", examples, 1, 1, NULL), 0);
    assert_true(2 * picture->width_px > pair_width_px + 2 * 2 * 128);
    picture_destroy(picture);
    free(stamp);
    free(gradient);
}

static void a_dip_in_invvar_is_seen(void **state)
{
    (void)state;
    struct stamp_layout layout = make_layout();
    struct stamp_scale scale;
    float *stamp = make_stamp(100);
    stamp[(32 * SIDE + 32) * CHANNELS + 1] = 70;
    struct picture *picture = picture_create(SIDE, SIDE, (struct rgb){0, 0, 0});
    stamp_scale_fill(&scale, &layout, (const float *const[]){stamp}, 1);
    stamp_draw_invvar(picture, 0, 0, 1, &layout, &scale, stamp, 0);
    int dip = picture->pixels[31 * SIDE + 32].g, around = picture->pixels[31 * SIDE + 40].g;
    assert_true(around - dip > 50 && around < 255);
    picture_destroy(picture);
    free(stamp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_pairs_each_band_with_its_invvar),
        cmocka_unit_test(colour_keeps_the_ratios_and_never_overflows),
        cmocka_unit_test(rows_run_upwards),
        cmocka_unit_test(stamps_without_weight_or_numbers_are_drawn),
        cmocka_unit_test(gallery_has_room_for_seven_panels_an_example),
        cmocka_unit_test(a_dip_in_invvar_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
