#include "client/tally.h"
#include "client/print.h"
#include "tests/unit/check.h"

static const char COUNTS[] =
    "{\"real\": {\"bricks\": 3, \"fresh\": 3, \"quarantined\": 0, \"catalogued\": 2003, \"selected\": 414, "
    "\"edge\": 40,"
    " \"blank\": 0, \"stamps\": 374, \"cuts\": [{\"cut\": \"flux_g > 0\", \"left\": 1990}, {\"cut\": \"line"
    " {\\\"x\\\":\\\"r - z\\\",\\\"y\\\":\\\"g - "
    "r\\\",\\\"slope\\\":1.15,\\\"intercept\\\":-0.15,\\\"keep\\\":\\\"below\\\"}\", \"left\": 414}]},"
    " \"fake\": {\"bricks\": 6, \"quarantined\": 1, \"injected\": 1800, \"selected\": 1800, \"stamps\": "
    "1650, \"cuts\": []}}";

static void counts_of_both_classes_stand_side_by_side(void **state)
{
    (void)state;
    json_t *result = json_loads(COUNTS, 0, NULL);
    CLEANUP(free_ptr) char *text = tally_format(result, 0);
    assert_contains(text, "real  fake\n");
    assert_contains(text, "  in the catalogues ");
    assert_contains(text, "2003\n"); /* nothing of fakes: the line ends */
    assert_contains(text, "    flux_g > 0 ");
    assert_contains(text, "  injected ");
    const char *stamps = strstr(text, "  stamps");
    assert_non_null(stamps);
    assert_contains(stamps, " 374  1650\n");
    assert_true(strstr(text, "flux_g > 0") < strstr(text, "  selected"));
    json_decref(result);
}

static void one_class_has_one_column(void **state)
{
    (void)state;
    json_t *result = json_loads(COUNTS, 0, NULL);
    json_object_del(result, "real");
    CLEANUP(free_ptr) char *text = tally_format(result, 0);
    assert_contains(text, " fake\n");
    assert_null(strstr(text, "real"));
    assert_contains(text, "  1650\n");
    json_decref(result);
}

static void a_long_cut_is_shortened_to_the_terminal(void **state)
{
    (void)state;
    json_t *result = json_loads(COUNTS, 0, NULL);
    CLEANUP(free_ptr) char *text = tally_format(result, 60);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(print_columns(line) <= 60);
    json_decref(result);
}

static void other_results_are_no_tally(void **state)
{
    (void)state;
    json_t *result = json_loads("{\"bricks\": 3, \"auc\": {\"value\": 0.5}}", 0, NULL);
    assert_null(tally_format(result, 0));
    assert_null(tally_format(NULL, 0));
    json_decref(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_of_both_classes_stand_side_by_side),
        cmocka_unit_test(one_class_has_one_column),
        cmocka_unit_test(a_long_cut_is_shortened_to_the_terminal),
        cmocka_unit_test(other_results_are_no_tally),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
