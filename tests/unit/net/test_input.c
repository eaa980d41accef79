#include "daemon/worker/net/input.h"
#include "common/rng.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <math.h>

enum { SIDE = 16, PIXELS = SIDE * SIDE };

static const struct input_channel CHANNELS[] = {
    {"g", 0.1, 0.5, 2}, {"ivar_g", 30, 28, 4}, {"ivar_r", 20, 1, 1}, {"r", 0.2, 1, 1}};

static struct input *make_input(const char *image_scale, const char *invvar_scale)
{
    struct err err = {0};
    struct input *input;
    if (input_create(&input, image_scale, invvar_scale, SIDE, 4, CHANNELS, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(input_size(input), PIXELS * 4);
    return input;
}

/* g is noise with outliers, and invvar 25 but for a bad row; r has no good pixel at all. */
static void fill_stamp(float *pixels)
{
    struct rng rng;
    rng_init(&rng, 1, 2, 3);
    for (int i = 0; i < PIXELS; i++) {
        pixels[4 * i] = (float)(rng_normal(&rng) * pow(10, rng_range(&rng, -4, 4)));
        pixels[4 * i + 1] = i / SIDE == 3 ? 0 : 25;
        pixels[4 * i + 2] = i % 2 ? 0 : -1;
        pixels[4 * i + 3] = 7;
    }
    pixels[4 * 20] = NAN;
    pixels[4 * 21] = INFINITY;
    pixels[4 * 22 + 1] = NAN;
    pixels[4 * 23 + 1] = 50;
}

static bool is_bad(int i)
{
    return i / SIDE == 3 || (i >= 20 && i <= 22);
}

static void input_asinh_is_half_the_asinh_of_signal_over_noise(void **state)
{
    (void)state;
    float pixels[4 * PIXELS], out[4 * PIXELS];
    struct input *input = make_input("asinh", "relative");
    fill_stamp(pixels);
    input_convert(input, pixels, out);
    for (int i = 0; i < PIXELS; i++) {
        double wanted = is_bad(i) ? 0 : asinh(5.0 * pixels[4 * i]) / 2;
        assert_near(out[4 * i], wanted, 3e-7 * (1 + fabs(wanted)));
    }
    input_destroy(input);
}

static void input_standard_takes_mean_and_deviation_of_the_training_part(void **state)
{
    (void)state;
    float pixels[4 * PIXELS], out[4 * PIXELS];
    struct input *input = make_input("standard", "standard");
    fill_stamp(pixels);
    input_convert(input, pixels, out);
    for (int i = 0; i < PIXELS; i++) {
        double x = is_bad(i) ? 0 : pixels[4 * i], v = is_bad(i) ? 0 : pixels[4 * i + 1];
        assert_near(out[4 * i], (x - 0.5) / 2, 1e-6 * (1 + fabs(x)));
        assert_near(out[4 * i + 1], (v - 28) / 4, 1e-5);
    }
    input_destroy(input);
}

static void input_invvar_is_relative_to_the_stamps_median(void **state)
{
    (void)state;
    float pixels[4 * PIXELS], out[4 * PIXELS];
    struct input *input = make_input("asinh", "relative");
    fill_stamp(pixels);
    input_convert(input, pixels, out);
    for (int i = 0; i < PIXELS; i++)
        assert_near(out[4 * i + 1], is_bad(i) ? -4 : i == 23 ? 4 : 0, 1e-6);
    input_destroy(input);
}

static void input_band_without_a_good_pixel_is_zero(void **state)
{
    (void)state;
    float pixels[4 * PIXELS], out[4 * PIXELS];
    static const char *const IMAGES[] = {"asinh", "snr", "none"}, *const INVVARS[] = {"relative", "global",
                                                                                      "none"};
    for (int k = 0; k < 9; k++) {
        struct input *input = make_input(IMAGES[k / 3], INVVARS[k % 3]);
        fill_stamp(pixels);
        input_convert(input, pixels, out);
        for (int i = 0; i < PIXELS; i++) {
            assert_true(out[4 * i + 2] == 0 && out[4 * i + 3] == 0);
            assert_true(isfinite(out[4 * i]) && isfinite(out[4 * i + 1]));
        }
        input_destroy(input);
    }
}

static void input_other_scales_are_as_they_say(void **state)
{
    (void)state;
    float pixels[4 * PIXELS], out[4 * PIXELS];
    struct input *input = make_input("snr", "global");
    fill_stamp(pixels);
    input_convert(input, pixels, out);
    assert_near(out[0], 5 * pixels[0], 1e-6 * fabs(pixels[0]) + 1e-12);
    assert_near(out[1], 25.0 / 30, 1e-6);
    input_destroy(input);
    input = make_input("none", "none");
    input_convert(input, pixels, out);
    assert_true(out[0] == pixels[0] && out[1] == 25);
    input_destroy(input);
}

static int compare(const void *a, const void *b)
{
    float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

/* sigma comes from the lower median: checked through snr, whose factor is sqrt(median). */
static void input_median_is_that_of_a_sort(void **state)
{
    (void)state;
    float pixels[4 * PIXELS], out[4 * PIXELS], sorted[PIXELS];
    struct input *input = make_input("snr", "none");
    struct rng rng;
    rng_init(&rng, 4, 4, 4);
    for (int trial = 0; trial < 200; trial++) {
        int good = 0;
        for (int i = 0; i < PIXELS; i++) {
            float v = (float)(trial % 2 ? exp(rng_range(&rng, -40, 40)) : (double)rng_below(&rng, 5));
            pixels[4 * i] = 1;
            pixels[4 * i + 1] = v;
            sorted[good] = v;
            good += v > 0;
        }
        qsort(sorted, (size_t)good, sizeof *sorted, compare);
        double wanted = sqrt((double)sorted[(good - 1) / 2]);
        input_convert(input, pixels, out);
        for (int i = 0; i < PIXELS; i++)
            assert_near(out[4 * i], pixels[4 * i + 1] > 0 ? wanted : 0, 1e-6 * wanted);
    }
    input_destroy(input);
}

static void input_json_reads_back_as_itself(void **state)
{
    (void)state;
    struct err err = {0};
    float pixels[4 * PIXELS], out[4 * PIXELS], again[4 * PIXELS];
    struct input *input = make_input("asinh", "global"), *copy;
    json_t *file = input_to_json(input);
    assert_int_equal(input_from_json(&copy, file, &err), 0);
    fill_stamp(pixels);
    input_convert(input, pixels, out);
    input_convert(copy, pixels, again);
    assert_memory_equal(out, again, sizeof out);
    json_object_set_new(file, "version", json_integer(2));
    input_destroy(copy);
    assert_int_equal(input_from_json(&copy, file, &err), -EINVAL);
    json_decref(file);
    input_destroy(input);
}

static void input_refuses_a_band_without_its_invvar(void **state)
{
    (void)state;
    struct err err = {0};
    struct input *input;
    static const struct input_channel ALONE[] = {{.name = "g"}, {.name = "ivar_r"}};
    assert_int_equal(input_create(&input, "asinh", "relative", SIDE, 2, ALONE, &err), -EINVAL);
    assert_contains(err.text, "channel g has no ivar_g");
    assert_int_equal(input_create(&input, "none", "relative", SIDE, 2, ALONE, &err), 0);
    input_destroy(input);
}

/* What is shown is as it would be without hiding anything; the rest is 0. */
static void input_shows_no_more_than_it_is_told_to(void **state)
{
    (void)state;
    float pixels[4 * PIXELS], all[4 * PIXELS], out[4 * PIXELS];
    const bool is_invvar[] = {false, true, true, false};
    struct input *input = make_input("asinh", "relative");
    fill_stamp(pixels);
    input_convert(input, pixels, all);
    for (enum sight sight = SIGHT_IMAGE; sight < SIGHT_MAX; sight++) {
        input_show(input, sight);
        json_t *json = input_to_json(input);
        struct input *again = NULL;
        assert_int_equal(input_from_json(&again, json, NULL), 0);
        json_decref(json);
        input_convert(again, pixels, out);
        size_t shown = 0;
        for (int i = 0; i < 4 * PIXELS; i++) {
            double dx = i / 4 % SIDE - 7.5, dy = i / 4 / SIDE - 7.5;
            bool shows = sight == SIGHT_IMAGE    ? !is_invvar[i % 4]
                         : sight == SIGHT_INVVAR ? is_invvar[i % 4]
                                                 : hypot(dx, dy) >= SIDE / 4.0;
            assert_true(out[i] == (shows ? all[i] : 0));
            shown += out[i] != 0;
        }
        assert_true(shown > 0);
        input_destroy(again);
    }
    input_destroy(input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_asinh_is_half_the_asinh_of_signal_over_noise),
        cmocka_unit_test(input_standard_takes_mean_and_deviation_of_the_training_part),
        cmocka_unit_test(input_invvar_is_relative_to_the_stamps_median),
        cmocka_unit_test(input_band_without_a_good_pixel_is_zero),
        cmocka_unit_test(input_other_scales_are_as_they_say),
        cmocka_unit_test(input_median_is_that_of_a_sort),
        cmocka_unit_test(input_json_reads_back_as_itself),
        cmocka_unit_test(input_refuses_a_band_without_its_invvar),
        cmocka_unit_test(input_shows_no_more_than_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
