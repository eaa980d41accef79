#include "client/curve.h"
#include "tests/unit/check.h"

static json_t *points_of(const double (*xy)[2], size_t count)
{
    json_t *points = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(points, json_pack("[ff]", xy[i][0], xy[i][1]));
    return points;
}

static void a_falling_line_falls(void **unused)
{
    (void)unused;
    static const double LINE[][2] = {{10, 4}, {20, 3}, {30, 2}, {40, 1}};
    json_t *points = points_of(LINE, 4);
    char *text = curve_draw(points, 4, 4, false);
    assert_string_equal(text, "*   \n"
                              " *  \n"
                              "  * \n"
                              "   *");
    free(text);
    text = curve_draw(points, 2, 1, true); /* 4 x 4 dots: one diagonal through two characters */
    assert_string_equal(text, "\u2811\u2884");
    free(text);
    double least, greatest;
    curve_range(points, &least, &greatest);
    assert_true(least == 1 && greatest == 4);
    json_decref(points);
}

static void odd_points_stay_inside(void **unused)
{
    (void)unused;
    static const double ODD[][2] = {{5, 1}, {5, 1}, {1, 1}, {9, 1}, {5, 1}};
    json_t *points = points_of(ODD, 5), *one = points_of(ODD, 1);
    char *text = curve_draw(points, 3, 2, false);
    assert_int_equal(strlen(text), 7);
    free(text);
    assert_null(curve_draw(one, 3, 2, false));
    assert_null(curve_draw(NULL, 3, 2, true));
    assert_null(curve_draw(points, 1, 2, true));
    json_decref(points);
    json_decref(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_falling_line_falls),
        cmocka_unit_test(odd_points_stay_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
