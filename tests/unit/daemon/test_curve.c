#include "daemon/curve.h"
#include "tests/unit/check.h"

static void add(struct curve *curve, int step, double loss)
{
    json_t *row = json_pack("{si sf}", "step", step, "loss", loss);
    curve_add(curve, row);
    json_decref(row);
}

static void a_long_training_keeps_its_shape_in_bounded_room(void **unused)
{
    (void)unused;
    struct curve *curve = calloc(1, sizeof *curve);
    assert_null(curve_json(curve));
    for (int step = 0; step < 100000; step++)
        add(curve, step, 1.0 / (step + 1));
    assert_in_range(curve->count, CURVE_POINTS / 2, CURVE_POINTS);
    assert_true(curve->step[0] == 0 && curve->step[curve->count - 1] > 99000);
    for (int i = 1; i < curve->count; i++) {
        assert_true(curve->step[i] - curve->step[i - 1] == curve->stride);
        assert_true(curve->loss[i] == 1.0 / (curve->step[i] + 1));
    }
    json_t *points = curve_json(curve);
    assert_int_equal(json_array_size(points), curve->count);
    json_decref(points);
    free(curve);
}

static void rows_without_a_loss_are_no_points(void **unused)
{
    (void)unused;
    struct curve curve = {.count = 0};
    json_t *row = json_pack("{si sf}", "step", 3, "valid_loss", 0.5);
    curve_add(&curve, row);
    json_decref(row);
    curve_add(&curve, NULL);
    assert_int_equal(curve.count, 0);
    add(&curve, 4, 0.6);
    add(&curve, 5, 0.5);
    assert_int_equal(curve.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_training_keeps_its_shape_in_bounded_room),
        cmocka_unit_test(rows_without_a_loss_are_no_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
