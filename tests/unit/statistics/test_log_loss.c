#include "daemon/worker/statistics/log_loss.h"
#include "common/rng.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <math.h>

enum { BRICKS = 20, A_BRICK = 50, N = BRICKS * A_BRICK, TRIALS = 2000, STREAM = 78 };

static void loss_is_that_of_the_definition(void **state)
{
    (void)state;
    const double score[] = {0.9, 0.2, 0.5};
    const uint8_t label[] = {1, 0, 1};
    struct log_loss loss;
    struct err err;
    const double each[] = {-log(0.9), -log(0.8), -log(0.5)};
    double mean = (each[0] + each[1] + each[2]) / 3, squares = 0;
    for (int i = 0; i < 3; i++)
        squares += (each[i] - mean) * (each[i] - mean);
    assert_int_equal(log_loss_measure(&loss, score, label, NULL, 0, 3, &err), 0);
    assert_true(fabs(loss.value - mean) < 1e-15);
    assert_true(fabs(loss.standard_error - sqrt(squares / 6)) < 1e-15);
}

static void certain_and_wrong_is_finite(void **state)
{
    (void)state;
    const double score[] = {0, 1};
    const uint8_t label[] = {1, 0};
    struct log_loss loss;
    struct err err;
    assert_int_equal(log_loss_measure(&loss, score, label, NULL, 0, 2, &err), 0);
    assert_true(fabs(loss.value - 52 * log(2)) < 1e-9);
    assert_int_equal(log_loss_measure(&loss, score, label, NULL, 0, 1, &err), -EINVAL);
}

/* Bricks that differ: the error must be the scatter of the loss over many draws, which that of independent stamps is far
 * below. */
static void error_covers_bricks_that_differ(void **state)
{
    (void)state;
    static double score[N];
    static uint8_t label[N];
    static uint32_t brick[N];
    double sum = 0, squares = 0, told = 0, told_without = 0;
    struct rng rng;
    for (int trial = 0; trial < TRIALS; trial++) {
        struct log_loss loss, without;
        struct err err;
        rng_init(&rng, 3, STREAM, (uint64_t)trial);
        for (int b = 0; b < BRICKS; b++) {
            double offset = rng_normal(&rng);
            for (int i = b * A_BRICK; i < (b + 1) * A_BRICK; i++) {
                brick[i] = (uint32_t)b;
                label[i] = i % 2;
                score[i] = 1 / (1 + exp(-(label[i] ? offset : -offset)));
            }
        }
        assert_int_equal(log_loss_measure(&loss, score, label, brick, BRICKS, N, &err), 0);
        assert_int_equal(log_loss_measure(&without, score, label, NULL, 0, N, &err), 0);
        sum += loss.value;
        squares += loss.value * loss.value;
        told += loss.standard_error * loss.standard_error / TRIALS;
        told_without += without.standard_error * without.standard_error / TRIALS;
    }
    double scatter = squares / TRIALS - sum / TRIALS * sum / TRIALS;
    assert_true(fabs(told / scatter - 1) < 0.15);
    assert_true(told_without < 0.1 * scatter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_is_that_of_the_definition),
        cmocka_unit_test(certain_and_wrong_is_finite),
        cmocka_unit_test(error_covers_bricks_that_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
