#include "daemon/worker/net/optimiser.h"
#include "common/rng.h"
#include "tests/unit/check.h"

#include <math.h>

/* Algorithm 1 of the paper in double precision, 50 steps on random gradients. */
static void adam_equals_the_papers_algorithm(void **state)
{
    (void)state;
    enum { COUNT = 1000, STEPS = 50 };
    float parameters[COUNT] = {0}, first[COUNT] = {0}, second[COUNT] = {0}, gradient[COUNT];
    double theta[COUNT] = {0}, m[COUNT] = {0}, v[COUNT] = {0};
    struct rng rng;
    rng_init(&rng, 1, 1, 1);
    for (int step = 1; step <= STEPS; step++) {
        double rate = 1e-3 * step;
        for (int i = 0; i < COUNT; i++)
            gradient[i] = (float)(rng_normal(&rng) * pow(10, i % 7 - 5));
        adam_update(parameters, first, second, gradient, COUNT, rate, step);
        for (int i = 0; i < COUNT; i++) {
            m[i] = 0.9 * m[i] + 0.1 * gradient[i];
            v[i] = 0.999 * v[i] + 0.001 * gradient[i] * gradient[i];
            theta[i] -= rate * (m[i] / (1 - pow(0.9, step))) / (sqrt(v[i] / (1 - pow(0.999, step))) + 1e-8);
        }
    }
    for (int i = 0; i < COUNT; i++)
        assert_near(parameters[i], theta[i], 2e-5 * (1 + fabs(theta[i])));
}

static void rate_onecycle_rises_and_falls(void **state)
{
    (void)state;
    enum { STEPS = 1001 };
    assert_near(rate_onecycle(2, 0, STEPS), 2.0 / 25, 1e-12);
    assert_near(rate_onecycle(2, 150, STEPS), (2 + 2.0 / 25) / 2, 1e-12);
    assert_near(rate_onecycle(2, 300, STEPS), 2, 1e-12);
    assert_near(rate_onecycle(2, 650, STEPS), 1, 1e-5);
    assert_near(rate_onecycle(2, 1000, STEPS), 2 / 250000.0, 1e-12);
    for (int step = 1; step < STEPS; step++)
        assert_true(step <= 300 ? rate_onecycle(2, step, STEPS) > rate_onecycle(2, step - 1, STEPS)
                                : rate_onecycle(2, step, STEPS) < rate_onecycle(2, step - 1, STEPS));
    assert_true(rate_onecycle(2, 0, 1) > 0 && rate_onecycle(2, 1, 2) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adam_equals_the_papers_algorithm),
        cmocka_unit_test(rate_onecycle_rises_and_falls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
