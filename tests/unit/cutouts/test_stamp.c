#include "daemon/worker/cutouts/stamp.h"
#include "tests/unit/check.h"

#include <math.h>

static void a_stamp_covers_int_x_minus_half_to_int_x_plus_half_minus_one(void **state)
{
    (void)state;
    struct corner corner;
    assert_true(stamp_place(100.0, 200.999, 64, 300, 300, &corner));
    assert_true(corner.x == 68 && corner.y == 168);
    assert_true(stamp_place(100.999, 200.0, 64, 300, 300, &corner));
    assert_true(corner.x == 68 && corner.y == 168);
}

static void a_stamp_that_leaves_the_image_has_no_place(void **state)
{
    (void)state;
    struct corner corner;
    assert_true(stamp_place(32.0, 268.99, 64, 300, 300, &corner));
    assert_true(corner.x == 0 && corner.y + 64 == 300);
    assert_false(stamp_place(31.99, 100, 64, 300, 300, &corner));
    assert_false(stamp_place(100, 269.0, 64, 300, 300, &corner));
    const double nowhere[] = {-0.4, -1e9, 1e300, NAN, INFINITY};
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++)
        assert_false(stamp_place(nowhere[i], 100, 64, 300, 300, &corner) ||
                     stamp_place(100, nowhere[i], 64, 300, 300, &corner));
}

static void channels_are_interleaved_and_others_left_alone(void **state)
{
    (void)state;
    float pixels[10 * 8], image[4 * 4 * 3] = {0};
    for (int i = 0; i < 80; i++)
        pixels[i] = (float)i;
    struct plane plane = {.width = 10, .height = 8, .pixels = pixels};
    stamp_copy(&plane, (struct corner){3, 2}, 4, 1, 3, image);
    for (int y = 0; y < 4; y++) {
        for (int x = 0; x < 4; x++) {
            assert_true(image[(y * 4 + x) * 3 + 1] == (float)((2 + y) * 10 + 3 + x));
            assert_true(image[(y * 4 + x) * 3] == 0 && image[(y * 4 + x) * 3 + 2] == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stamp_covers_int_x_minus_half_to_int_x_plus_half_minus_one),
        cmocka_unit_test(a_stamp_that_leaves_the_image_has_no_place),
        cmocka_unit_test(channels_are_interleaved_and_others_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
