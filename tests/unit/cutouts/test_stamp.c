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

static void a_source_on_the_rim_is_the_image_s_own(void **state)
{
    (void)state;
    assert_true(stamp_owned(0, 0, 300, 200) && stamp_owned(299.9, 199.9, 300, 200) &&
                stamp_owned(-0.4, 5, 300, 200));
    assert_false(stamp_owned(300, 5, 300, 200) || stamp_owned(5, 200, 300, 200) ||
                 stamp_owned(-1, 5, 300, 200));
    assert_false(stamp_owned(NAN, 5, 300, 200) || stamp_owned(5, INFINITY, 300, 200));
}

static void a_stamp_is_covered_when_each_band_has_data_somewhere(void **state)
{
    (void)state;
    float image[2 * 2 * 4] = {0};
    assert_false(stamp_covered(image, 2, 4));
    image[3 * 4 + 1] = 1;
    assert_false(stamp_covered(image, 2, 4));
    image[3] = 1;
    assert_true(stamp_covered(image, 2, 4));
    image[3] = -1;
    assert_false(stamp_covered(image, 2, 4));
}

static void channels_are_interleaved(void **state)
{
    (void)state;
    const float g[] = {1, 2, 3}, ivar_g[] = {4, 5, 6};
    const float *const rows[] = {g, ivar_g};
    float row[8] = {0, 0, 0, 0, 0, 0, 7, 8};
    stamp_interleave(rows, 2, 3, row);
    const float expected[] = {1, 4, 2, 5, 3, 6, 7, 8};
    assert_memory_equal(row, expected, sizeof row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stamp_covers_int_x_minus_half_to_int_x_plus_half_minus_one),
        cmocka_unit_test(a_stamp_that_leaves_the_image_has_no_place),
        cmocka_unit_test(a_source_on_the_rim_is_the_image_s_own),
        cmocka_unit_test(a_stamp_is_covered_when_each_band_has_data_somewhere),
        cmocka_unit_test(channels_are_interleaved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
