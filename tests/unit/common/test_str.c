#include "common/str.h"
#include "tests/unit/check.h"

static void str_to_int_takes_whole_numbers_only(void **state)
{
    (void)state;
    int64_t value;
    assert_true(str_to_int("-42", &value));
    assert_int_equal(value, -42);
    const char *const bad[] = {"", " 4", "4 ", "4.0", "9223372036854775808", "x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(str_to_int(bad[i], &value));
}

static void str_to_real_refuses_what_is_not_finite(void **state)
{
    (void)state;
    double value;
    assert_true(str_to_real("-2.5e-3", &value));
    assert_near(value, -0.0025, 1e-18);
    const char *const bad[] = {"", "nan", "inf", "1e999", "1 ", "1,5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(str_to_real(bad[i], &value));
}

static void str_to_seconds_knows_units_and_clocks(void **state)
{
    (void)state;
    double s;
    assert_true(str_to_seconds("90", &s) && s == 90);
    assert_true(str_to_seconds("15m", &s) && s == 900);
    assert_true(str_to_seconds("1.5h", &s) && s == 5400);
    assert_true(str_to_seconds("1:30:00", &s) && s == 5400);
    assert_true(str_to_seconds("2:30", &s) && s == 150);
    assert_false(str_to_seconds("1:", &s) || str_to_seconds("-3", &s) || str_to_seconds("3x", &s) || str_to_seconds("1:2:3:4", &s));
}

static void str_nearest_suggests_only_what_is_near(void **state)
{
    (void)state;
    const char *const names[] = {"submit", "status", "show"};
    assert_string_equal(str_nearest("sumbit", names, 3), "submit");
    assert_string_equal(str_nearest("stauts", names, 3), "status");
    assert_null(str_nearest("frobnicate", names, 3));
}

static void str_has_control_refuses_newlines_and_bad_utf8(void **state)
{
    (void)state;
    assert_false(str_has_control("/data/Zürich"));
    assert_true(str_has_control("a\nb"));
    assert_true(str_has_control("\xff"));
    assert_true(str_has_control("\xc3"));
    static const char *const NONE[] = {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++)
        assert_true(str_has_control(NONE[i]));
    assert_false(str_has_control("\xe2\x82\xac \xf0\x9f\x8c\x8c \xf4\x8f\xbf\xbf"));
}

static void str_clean_makes_one_line_of_what_came_from_outside(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        size_t size;
    } CASES[] = {
        {"plain", "plain", 64},
        {"a\nb\rc\x1b[31m", "a?b?c?[31m", 64},
        {"caf\xc3\xa9", "caf\xc3\xa9", 64},
        {"bad \xff\xc3", "bad ??", 64},
        {"caf\xc3\xa9", "caf", 5},
        {"\xed\xa0\x80", "???", 64},
        {"\xc0\xaf", "??", 64},
        {"tab\there", "tab\there", 64},
        {"", "", 1},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char text[64];
        str_clean(text, CASES[i].size, CASES[i].from, strlen(CASES[i].from));
        assert_string_equal(text, CASES[i].to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(str_to_int_takes_whole_numbers_only),
        cmocka_unit_test(str_to_real_refuses_what_is_not_finite),
        cmocka_unit_test(str_to_seconds_knows_units_and_clocks),
        cmocka_unit_test(str_nearest_suggests_only_what_is_near),
        cmocka_unit_test(str_has_control_refuses_newlines_and_bad_utf8),
        cmocka_unit_test(str_clean_makes_one_line_of_what_came_from_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
