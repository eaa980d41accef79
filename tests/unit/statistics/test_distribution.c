#include "daemon/worker/statistics/distribution.h"
#include "tests/unit/check.h"

#include <math.h>

static void normal_and_student_match_their_tables(void **state)
{
    (void)state;
    assert_near(normal_quantile(0.975), 1.959963984540054, 1e-12);
    assert_near(normal_quantile(0.99), 2.3263478740408408, 1e-12);
    assert_near(normal_quantile(0.5), 0, 1e-12);
    assert_near(normal_upper_tail(1.6448536269514722), 0.05, 1e-15);
    assert_near(student_quantile(0.95, 1), tan(0.45 * M_PI), 1e-9); /* Cauchy */
    assert_near(student_quantile(0.95, 10), 1.8124611228107335, 1e-10);
    assert_near(student_quantile(0.975, 1e7), 1.959964, 1e-5);
}

static void beta_matches_closed_forms(void **state)
{
    (void)state;
    for (double x = 0; x <= 1.0001; x += 0.0625) {
        assert_near(beta_regularized(x, 1, 1), fmin(x, 1), 1e-14);
        assert_near(beta_regularized(x, 3, 1), x * x * x, 1e-14);
        assert_near(beta_regularized(x, 0.5, 0.5), 2 / M_PI * asin(sqrt(fmin(x, 1))), 1e-13);
        assert_near(beta_regularized(x, 7.5, 22), 1 - beta_regularized(1 - x, 22, 7.5), 1e-13);
    }
}

static void binomial_tail_is_the_sum_of_its_masses(void **state)
{
    (void)state;
    for (long n = 1; n < 40; n += 3) {
        for (double p = 0.05; p < 1; p += 0.15) {
            double sum = 0;
            for (long k = n; k >= 0; k--) {
                sum += exp(lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) + k * log(p) +
                           (n - k) * log1p(-p));
                assert_near(binomial_upper_tail(k, n, p), sum, 1e-12);
            }
        }
    }
    assert_near(binomial_upper_tail(0, 5, 0.3), 1, 0);
    assert_near(binomial_upper_tail(6, 5, 0.3), 0, 0);
    assert_near(binomial_upper_tail(5, 5, 0.5), 1.0 / 32, 1e-16);
}

/* The smallest accuracy above chance that verdict.md says can be seen at 5 % with power 90 %. */
static void binomial_sees_what_the_design_says(void **state)
{
    (void)state;
    const struct {
        long n;
        double above;
    } known[] = {{512, 0.064}, {10000, 0.0146}, {100000, 0.0046}};
    for (size_t i = 0; i < 3; i++) {
        long n = known[i].n, least = n / 2;
        while (binomial_upper_tail(least, n, 0.5) > 0.05)
            least++;
        double power = binomial_upper_tail(least, n, 0.5 + known[i].above);
        assert_near(power, 0.9, 0.02);
    }
}

static void binomial_interval_covers_as_often_as_it_says(void **state)
{
    (void)state;
    const long n = 30;
    double low[31], high[31];
    for (long k = 0; k <= n; k++)
        binomial_interval(k, n, 0.95, &low[k], &high[k]);
    assert_near(low[0], 0, 0);
    assert_near(high[30], 1, 0);
    assert_near(high[0], 1 - pow(0.025, 1.0 / 30), 1e-12);
    for (double p = 0.01; p < 1; p += 0.01) {
        double covered = 0;
        for (long k = 0; k <= n; k++)
            covered += p >= low[k] && p <= high[k] ? binomial_mass(k, n, p) : 0;
        assert_true(covered >= 0.95 - 1e-12);
    }
}

static double choose(long n, long k)
{
    return exp(lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0));
}

static void fisher_is_the_share_of_all_ways_to_deal_the_labels(void **state)
{
    (void)state;
    for (long a = 0; a <= 9; a++) {
        for (long b = 0; b <= 6; b++) {
            long c = 5, d = 7;
            double share = 0;
            for (long x = a; x <= a + b && x <= a + c; x++)
                share += x < a - d
                             ? 0
                             : choose(a + b, x) * choose(c + d, a + c - x) / choose(a + b + c + d, a + c);
            assert_near(fisher_upper_tail(a, b, c, d), fmin(share, 1), 1e-11);
        }
    }
    assert_near(fisher_upper_tail(3, 1, 1, 3), 17.0 / 70, 1e-13); /* the lady tasting tea */
    assert_near(fisher_upper_tail(0, 0, 4, 4), 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_and_student_match_their_tables),
        cmocka_unit_test(beta_matches_closed_forms),
        cmocka_unit_test(binomial_tail_is_the_sum_of_its_masses),
        cmocka_unit_test(binomial_sees_what_the_design_says),
        cmocka_unit_test(binomial_interval_covers_as_often_as_it_says),
        cmocka_unit_test(fisher_is_the_share_of_all_ways_to_deal_the_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
