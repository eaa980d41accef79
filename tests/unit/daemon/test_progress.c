#include "daemon/progress.h"
#include "tests/unit/check.h"

#include <math.h>

static double field(const struct progress *progress, const char *name)
{
    json_t *body = progress_json(progress);
    assert_non_null(body);
    json_t *value = json_object_get(body, name);
    double number = json_is_number(value) ? json_number_value(value) : NAN;
    json_decref(body);
    return number;
}

static void the_shares_of_ranks_add_up(void **unused)
{
    (void)unused;
    struct progress *progress = progress_create(3);
    assert_null(progress_json(progress));
    assert_true(progress_report(progress, 0, 2, 12, "bricks", 0));
    assert_true(progress_report(progress, 2, 3, 12, "bricks", 0));
    assert_true(progress_report(progress, 0, 4, 12, "bricks", 0));
    assert_near(field(progress, "done"), 7, 0);
    assert_near(field(progress, "total"), 12, 0);
    progress_destroy(progress);
}

static void rate_and_time_left_come_from_what_was_done_lately(void **unused)
{
    (void)unused;
    struct progress *progress = progress_create(1);
    for (int i = 0; i <= 50; i++) /* a checkpoint's 1000, then 10 a second */
        assert_true(progress_report(progress, 0, 1000 + i, 2050, "steps", 100 + 0.1 * i));
    assert_near(field(progress, "rate"), 10, 1e-6);
    assert_near(field(progress, "left_s"), 100, 1e-6);
    for (int i = 1; i <= 500; i++) /* then twice as fast, for longer than history is kept */
        assert_true(progress_report(progress, 0, 1050 + i, 2050, "steps", 105 + 0.05 * i + 20 * (i > 250)));
    double rate = field(progress, "rate");
    assert_true(rate > 5 && rate < 20);
    progress_destroy(progress);
}

static void history_is_bounded_and_old_rates_are_forgotten(void **unused)
{
    (void)unused;
    struct progress *progress = progress_create(1);
    double done = 0, now_s = 0;
    for (int i = 0; i < 1000; i++)
        progress_report(progress, 0, done += 1, 1e6, "x", now_s += 1);
    for (int i = 0; i < 100; i++)
        progress_report(progress, 0, done += 5, 1e6, "x", now_s += 1);
    assert_near(field(progress, "rate"), 5, 1e-6);
    progress_destroy(progress);
}

static void numbers_that_make_no_sense_change_nothing(void **unused)
{
    (void)unused;
    struct progress *progress = progress_create(2);
    assert_true(progress_report(progress, 1, 5, 10, "x", 0));
    assert_false(progress_report(progress, 2, 5, 10, "x", 1));
    assert_false(progress_report(progress, -1, 5, 10, "x", 1));
    assert_false(progress_report(progress, 0, NAN, 10, "x", 1));
    assert_false(progress_report(progress, 0, -1, 10, "x", 1));
    assert_false(progress_report(progress, 0, 1, 0, "x", 1));
    assert_false(progress_report(progress, 0, 1, INFINITY, "x", 1));
    assert_near(field(progress, "done"), 5, 0);
    assert_true(isnan(field(progress, "rate")));
    assert_true(progress_report(progress, 0, 500, 10, "x", 1));
    assert_near(field(progress, "done"), 10, 0);
    progress_destroy(progress);
}

static void another_total_is_a_new_beginning(void **unused)
{
    (void)unused;
    struct progress *progress = progress_create(1);
    for (int i = 0; i <= 10; i++)
        progress_report(progress, 0, i, 10, "bricks", i);
    assert_true(progress_report(progress, 0, 1, 400, "stamps", 11));
    assert_near(field(progress, "done"), 1, 0);
    assert_true(isnan(field(progress, "rate")));
    progress_destroy(progress);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shares_of_ranks_add_up),
        cmocka_unit_test(rate_and_time_left_come_from_what_was_done_lately),
        cmocka_unit_test(history_is_bounded_and_old_rates_are_forgotten),
        cmocka_unit_test(numbers_that_make_no_sense_change_nothing),
        cmocka_unit_test(another_total_is_a_new_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
