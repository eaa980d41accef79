#include "common/rng.h"
#include "daemon/worker/audit/statistics.h"
#include "tests/unit/check.h"

#include <math.h>

enum { MANY = 2000 };

static void draw(double *values, size_t count, uint64_t stream, double mean)
{
    struct rng rng;
    rng_init(&rng, 1, (uint32_t)stream, 0);
    for (size_t i = 0; i < count; i++)
        values[i] = mean + rng_normal(&rng);
}

static void summary_is_mean_and_error(void **state)
{
    (void)state;
    double values[] = {3, NAN, 1, 2, INFINITY, 4};
    struct summary summary = summarise(values, 6);
    assert_int_equal(summary.count, 4);
    assert_near(summary.mean, 2.5, 1e-12);
    assert_near(summary.error, sqrt(5.0 / 3 / 4), 1e-12);
}

static void summary_is_not_led_by_outliers(void **state)
{
    (void)state;
    static double values[MANY];
    draw(values, MANY, 1, 5);
    for (int i = 0; i < 10; i++)
        values[i] = 1e9;
    struct summary summary = summarise(values, MANY);
    assert_near(summary.mean, 5, 0.1);
    assert_near(summary.error, 1 / sqrt(MANY), 0.1 / sqrt(MANY));
}

static void summary_of_less_than_two_is_unknown(void **state)
{
    (void)state;
    double values[] = {1, NAN};
    assert_true(isnan(summarise(values, 2).mean));
    assert_true(isnan(summarise(values, 0).error));
}

static double brute_force(const double *a, size_t n, const double *b, size_t m)
{
    double largest = 0;
    for (size_t k = 0; k < n + m; k++) {
        double at = k < n ? a[k] : b[k - n], below[2] = {0, 0};
        for (size_t i = 0; i < n; i++)
            below[0] += a[i] <= at;
        for (size_t i = 0; i < m; i++)
            below[1] += b[i] <= at;
        largest = fmax(largest, fabs(below[0] / (double)n - below[1] / (double)m));
    }
    return largest;
}

static void ks_distance_is_the_brute_force_one(void **state)
{
    (void)state;
    double a[100], b[70];
    for (uint64_t round = 0; round < 20; round++) {
        draw(a, 100, 2 * round, 0);
        draw(b, 70, 2 * round + 1, 0.3);
        for (int i = 0; i < 100; i++)
            a[i] = round % 2 ? rint(2 * a[i]) : a[i]; /* ties */
        for (int i = 0; i < 70; i++)
            b[i] = round % 2 ? rint(2 * b[i]) : b[i];
        double wanted = brute_force(a, 100, b, 70);
        assert_near(ks_distance(a, 100, b, 70), wanted, 1e-12);
    }
    assert_true(isnan(ks_distance(a, 0, b, 70)));
}

/* Kolmogorov's distribution: Q(1.3581) = 0.05, Q(1.6276) = 0.01 (tables of Smirnov 1948). */
static void ks_probability_is_kolmogorovs(void **state)
{
    (void)state;
    const size_t n = 2000000;
    const double root = sqrt(n / 2.0);
    assert_near(ks_probability(1.3581 / root, n, n), 0.05, 2e-4);
    assert_near(ks_probability(1.6276 / root, n, n), 0.01, 1e-4);
    assert_near(ks_probability(0, n, n), 1, 0);
    assert_near(ks_critical(0.01, n, n) * root, 1.6276, 1e-3);
    assert_near(ks_probability(ks_critical(1e-4, 300, 500), 300, 500), 1e-4, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(summary_is_mean_and_error),
        cmocka_unit_test(summary_is_not_led_by_outliers),
        cmocka_unit_test(summary_of_less_than_two_is_unknown),
        cmocka_unit_test(ks_distance_is_the_brute_force_one),
        cmocka_unit_test(ks_probability_is_kolmogorovs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
