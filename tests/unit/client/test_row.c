#include "client/row.h"
#include "tests/unit/check.h"

static json_t *row_of(const char *state, double done, double total)
{
    return json_pack("{si ss ss ss sI sI s{sf sf ss sf sf}}", "id", 3, "kind", "cutouts", "name", "stamps",
                     "state", state, "started_us", (json_int_t)1000000, "ended_us", (json_int_t)13000000,
                     "progress", "done", done, "total", total, "unit", "bricks", "rate", 1.2, "left_s",
                     125.0);
}

static void bar_shows_share_rate_and_time_left(void **state)
{
    (void)state;
    json_t *row = row_of("running", 8, 16);
    CLEANUP(free_ptr) char *line = row_bar(row, 79, false);
    assert_string_equal(line,
                        "   3  stamps          #######.......  50 %  8/16 bricks  1.20/s  2 min 5 s left");
    json_decref(row);
}

static void bar_fits_any_width(void **state)
{
    (void)state;
    json_t *row = row_of("running", 123456, 60e6);
    json_object_set_new(row, "metrics", json_pack("{sf}", "loss", 0.693));
    json_object_set_new(row, "name", json_string("a name that is much too long for a line"));
    for (int width = 20; width < 200; width++) {
        CLEANUP(free_ptr) char *line = row_bar(row, width, true);
        assert_true(print_columns(line) <= width);
    }
    json_decref(row);
}

static void a_wide_line_has_longer_labels_and_bars(void **state)
{
    (void)state;
    json_t *row = row_of("running", 8, 16);
    json_object_set_new(row, "name", json_string("lenet 2x2, rate 0.001, seed 17"));
    CLEANUP(free_ptr) char *narrow = row_bar(row, 79, false), *wide = row_bar(row, 199, false);
    assert_contains(narrow, "lenet 2x2, r..  ");
    assert_contains(wide, "lenet 2x2, rate 0.001, seed 17  ");
    assert_contains(wide, "########################.");
    json_decref(row);
}

static void a_training_without_progress_tells_step_and_loss(void **state)
{
    (void)state;
    json_t *row = json_pack("{si ss ss s{si sf}}", "id", 3, "name", "x", "state", "running", "metrics", "step", 900, "loss", 0.25);
    CLEANUP(free_ptr) char *line = row_bar(row, 79, false);
    json_object_del(row, "metrics");
    CLEANUP(free_ptr) char *before = row_bar(row, 79, false);
    assert_string_equal(line, "   3  x               step 900  loss 0.250");
    assert_string_equal(before, "   3  x               started");
    json_decref(row);
}

static void bar_never_overflows_on_odd_progress(void **state)
{
    (void)state;
    static const double ODD[][2] = {{20, 10}, {-1, 10}, {0, 0}, {5, -1}};
    for (size_t i = 0; i < sizeof ODD / sizeof *ODD; i++) {
        json_t *row = row_of("running", ODD[i][0], ODD[i][1]);
        CLEANUP(free_ptr) char *line = row_bar(row, 79, false);
        assert_true(print_columns(line) <= 79);
        assert_null(strstr(line, "200 %"));
        assert_null(strstr(line, "-10 %"));
        json_decref(row);
    }
}

static void outcome_tells_time_and_reason(void **state)
{
    (void)state;
    json_t *row = row_of("succeeded", 1, 1);
    CLEANUP(free_ptr) char *good = row_outcome(row);
    json_object_set_new(row, "state", json_string("failed"));
    json_object_set_new(row, "reason", json_string("the disk is full"));
    CLEANUP(free_ptr) char *bad = row_outcome(row);
    json_object_set_new(row, "state", json_string("skipped"));
    json_object_set_new(row, "started_us", json_integer(0));
    CLEANUP(free_ptr) char *skipped = row_outcome(row);
    assert_string_equal(good, "succeeded in 12 s");
    assert_string_equal(bad, "failed after 12 s: the disk is full");
    assert_string_equal(skipped, "skipped: the disk is full");
    json_decref(row);
}

static void outcome_tells_what_was_left_out(void **state)
{
    (void)state;
    json_t *row = row_of("succeeded", 1, 1);
    json_object_set_new(row, "result",
                        json_pack("{s{si} s{si}}", "real", "quarantined", 1, "fake", "quarantined", 1));
    CLEANUP(free_ptr) char *two = row_outcome(row);
    json_object_set_new(row, "result", json_pack("{si}", "quarantined", 1));
    CLEANUP(free_ptr) char *one = row_outcome(row);
    json_object_set_new(row, "result", json_pack("{si}", "warnings", 2));
    CLEANUP(free_ptr) char *audit = row_outcome(row);
    assert_string_equal(two, "succeeded in 12 s; 2 bricks left out, `decoy events 3` says why");
    assert_string_equal(one, "succeeded in 12 s; 1 brick left out, `decoy events 3` says why");
    assert_string_equal(audit, "succeeded in 12 s; 2 warnings");
    json_decref(row);
}

static void rows_of_a_strange_daemon_do_no_harm(void **state)
{
    (void)state;
    json_t *row = json_pack("{ss si sn s[]}", "id", "x", "state", 4, "kind", "progress");
    CLEANUP(free_ptr)
    char *line = row_bar(row, 79, false), *outcome = row_outcome(row), *progress = row_progress(row);
    assert_false(row_ended(row));
    assert_non_null(line);
    assert_non_null(outcome);
    assert_string_equal(progress, "");
    json_decref(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bar_shows_share_rate_and_time_left),
        cmocka_unit_test(bar_fits_any_width),
        cmocka_unit_test(a_wide_line_has_longer_labels_and_bars),
        cmocka_unit_test(a_training_without_progress_tells_step_and_loss),
        cmocka_unit_test(bar_never_overflows_on_odd_progress),
        cmocka_unit_test(outcome_tells_time_and_reason),
        cmocka_unit_test(outcome_tells_what_was_left_out),
        cmocka_unit_test(rows_of_a_strange_daemon_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
