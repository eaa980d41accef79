/* What PyTorch has, test_update.py compares with it; here is what it has not. */
#include "daemon/worker/net/optimiser.h"
#include "common/rng.h"
#include "tests/unit/check.h"

#include <math.h>

enum { COUNT = 200, STEPS = 200 };

static double norm_of(const double *values)
{
    double sum = 0;
    for (int i = 0; i < COUNT; i++)
        sum += values[i] * values[i];
    return sqrt(sum);
}

/* Algorithm 2 of the paper, phi the identity, in double precision. */
static void lamb_by_the_paper(double *x, double *m, double *v, const float *gradient, double rate,
                              double decay, int step)
{
    double u[COUNT];
    for (int i = 0; i < COUNT; i++) {
        m[i] = 0.9 * m[i] + 0.1 * gradient[i];
        v[i] = 0.999 * v[i] + 0.001 * gradient[i] * gradient[i];
        double r = m[i] / (1 - pow(0.9, step)) / (sqrt(v[i] / (1 - pow(0.999, step))) + 1e-6);
        u[i] = r + decay * x[i];
    }
    double ratio = norm_of(x) > 0 && norm_of(u) > 0 ? norm_of(x) / norm_of(u) : 1;
    for (int i = 0; i < COUNT; i++)
        x[i] -= rate * ratio * u[i];
}

static void lamb_equals_the_papers_algorithm(void **state)
{
    (void)state;
    const struct optimiser lamb = {.rule = OPTIMISER_LAMB, .weight_decay = 0.01};
    for (int zeros = 0; zeros < 2; zeros++) { /* biases begin at 0, where the ratio is 1 */
        float x[COUNT], first[COUNT] = {0}, second[COUNT] = {0}, gradient[COUNT];
        double theta[COUNT], m[COUNT] = {0}, v[COUNT] = {0};
        struct rng rng;
        rng_init(&rng, 1, 1, 1);
        for (int i = 0; i < COUNT; i++)
            theta[i] = x[i] = zeros ? 0 : (float)rng_normal(&rng);
        const struct optimiser_block block = {x, first, second, gradient, COUNT};
        for (int step = 1; step <= STEPS; step++) {
            for (int i = 0; i < COUNT; i++)
                gradient[i] = (float)(rng_normal(&rng) * pow(10, i % 7 - 5));
            optimiser_update(&lamb, &block, 1e-2, 1, step);
            lamb_by_the_paper(theta, m, v, gradient, 1e-2, 0.01, step);
            for (int i = 0; i < COUNT; i++)
                assert_near(x[i], theta[i], 2e-5 * (0.1 + fabs(theta[i])));
        }
    }
}

static void norm_is_that_of_all_values(void **state)
{
    (void)state;
    float values[29];
    double sum = 0;
    for (int i = 0; i < 29; i++) {
        values[i] = (float)(i - 10) * 1e18f;
        sum += (double)values[i] * values[i];
        assert_near(optimiser_norm(values, (size_t)i + 1) / sqrt(sum), 1, 1e-12);
    }
    assert_true(isnan(optimiser_norm((float[]){1, NAN, 3}, 3)));
}

static void clipping_leaves_short_gradients_alone(void **state)
{
    (void)state;
    assert_true(optimiser_clip_scale(3, 5) == 1 && optimiser_clip_scale(1e30, 0) == 1);
    assert_near(optimiser_clip_scale(10, 5), 0.5, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lamb_equals_the_papers_algorithm),
        cmocka_unit_test(norm_is_that_of_all_values),
        cmocka_unit_test(clipping_leaves_short_gradients_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
