#include "common/clock.h"
#include "tests/unit/check.h"

#define DAY_US (86400 * INT64_C(1000000))

static int64_t parsed(const char *text, int64_t now_us)
{
    int64_t time_us = -1;
    return clock_parse(text, now_us, &time_us) ? time_us / 1000000 : -1;
}

static void points_in_time_are_read(void **unused)
{
    (void)unused;
    int64_t noon_us = 1769860800 * INT64_C(1000000); /* 2026-01-31T12:00:00Z */
    setenv("TZ", "UTC+7", 1);                        /* local time is 05:00 */
    assert_int_equal(parsed("05:30", noon_us), 1769862600);
    assert_int_equal(parsed("05:30:15", noon_us), 1769862615);
    assert_int_equal(parsed("05:00", noon_us), 1769860800 + 86400); /* the next one */
    assert_int_equal(parsed("2026-01-31T12:00:00Z", 0), 1769860800);
    assert_int_equal(parsed("2026-01-31 05:00", DAY_US), 1769860800);
    assert_int_equal(parsed("2026-01-31T05:00:00", DAY_US), 1769860800);
    assert_int_equal(parsed("@1769860800", 0), 1769860800);
    assert_int_equal(parsed("+2h", noon_us), 1769860800 + 7200);
}

static void what_is_no_time_is_refused(void **unused)
{
    (void)unused;
    static const char *const BAD[] = {"",  "soon",         "25:00",      "12",         "12:00x",    "+",
                                      "+x", "@",           "@-3",        "2026-01-31", "2026-01-31T12:00:00+01",
                                      "NONE", "2026-13-31T12:00", "12:61", "+1e300s"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_int_equal(parsed(BAD[i], DAY_US), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(points_in_time_are_read),
                                       cmocka_unit_test(what_is_no_time_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
