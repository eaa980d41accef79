#include "daemon/worker/statistics/auc.h"
#include "common/rng.h"
#include "daemon/worker/statistics/distribution.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <math.h>

enum { N = 400, STREAM = 77, TRIALS = 400 };

/* Scores on a grid of `levels` (0: none), so that there are ties; fakes are `lead` higher. */
static void draw(struct rng *rng, double lead, int levels, size_t n, double *score, uint8_t *label)
{
    for (size_t i = 0; i < n; i++) {
        label[i] = rng_uniform(rng) < 0.4;
        score[i] = rng_normal(rng) + (label[i] ? lead : 0);
        if (levels)
            score[i] = floor(score[i] * levels);
    }
}

static double kernel(double fake, double real)
{
    return fake > real ? 1 : fake == real ? 0.5 : 0;
}

/* DeLong's estimate from its definition, every fake against every real one. */
static void measure_by_pairs(const double *score, const uint8_t *label, size_t n, double *value,
                             double *variance)
{
    double part[2][2] = {{0}}, total = 0;
    size_t count[2] = {0};
    for (size_t i = 0; i < n; i++) {
        count[label[i]]++;
        for (size_t j = 0; j < n; j++)
            total += label[i] && !label[j] ? kernel(score[i], score[j]) : 0;
    }
    *value = total / (double)(count[0] * count[1]);
    for (size_t i = 0; i < n; i++) {
        double own = 0;
        for (size_t j = 0; j < n; j++) {
            if (label[j] != label[i])
                own += label[i] ? kernel(score[i], score[j]) : kernel(score[j], score[i]);
        }
        own = own / (double)count[!label[i]] - *value;
        part[label[i]][0] += own * own;
    }
    *variance = 0;
    for (int c = 0; c < 2; c++)
        *variance += part[c][0] / (double)(count[c] - 1) / (double)count[c];
}

static void auc_and_delong_match_all_pairs(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1, STREAM, 0);
    for (int levels = 0; levels < 4; levels++) {
        double score[N], value, variance;
        uint8_t label[N];
        struct auc auc;
        draw(&rng, 0.3 * levels, levels, N, score, label);
        measure_by_pairs(score, label, N, &value, &variance);
        assert_int_equal(auc_measure(&auc, score, label, NULL, 0, N, NULL), 0);
        assert_near(auc.value, value, 1e-12);
        assert_near(auc.variance, variance, 1e-13);
    }
}

/* Over all deals of the labels of eight scores with ties, the AUC's variance is the null variance, exactly.
 */
static void null_variance_is_that_of_all_label_permutations(void **state)
{
    (void)state;
    const double score[8] = {1, 2, 2, 3, 5, 5, 5, 8};
    double sum = 0, squares = 0, null_variance = 0;
    int deals = 0;
    for (unsigned bits = 0; bits < 256; bits++) {
        uint8_t label[8];
        struct auc auc;
        if (__builtin_popcount(bits) != 3)
            continue;
        for (int i = 0; i < 8; i++)
            label[i] = bits >> i & 1;
        assert_int_equal(auc_measure(&auc, score, label, NULL, 0, 8, NULL), 0);
        sum += auc.value;
        squares += auc.value * auc.value;
        null_variance = auc.null_variance;
        deals++;
    }
    assert_int_equal(deals, 56);
    assert_near(sum / deals, 0.5, 1e-14);
    assert_near(squares / deals - 0.25, null_variance, 1e-14);
}

static void delong_covers_the_true_auc(void **state)
{
    (void)state;
    const double truth = normal_upper_tail(-0.8 / M_SQRT2); /* two normals 0.8 apart */
    int covered = 0;
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        double score[N], low, high;
        uint8_t label[N];
        struct auc auc;
        struct rng rng;
        rng_init(&rng, 2, STREAM, trial);
        draw(&rng, 0.8, 0, N, score, label);
        assert_int_equal(auc_measure(&auc, score, label, NULL, 0, N, NULL), 0);
        auc_interval(&auc, 0.95, &low, &high);
        covered += low <= truth && truth <= high;
    }
    assert_near(covered / (double)TRIALS, 0.95, 0.035);
}

/* Twenty bricks whose fakes and reals are shifted on their own: the stamps of a brick say the same thing. */
static void clusters_widen_the_interval_until_it_covers(void **state)
{
    (void)state;
    enum { BRICKS = 40 };
    int covered = 0, covered_alone = 0;
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        double score[N], low, high, shift[BRICKS][2];
        uint8_t label[N];
        uint32_t brick[N];
        struct auc auc;
        struct rng rng;
        rng_init(&rng, 3, STREAM, trial);
        draw(&rng, 0, 0, N, score, label);
        for (int i = 0; i < 2 * BRICKS; i++)
            shift[i / 2][i % 2] = rng_normal(&rng);
        for (size_t i = 0; i < N; i++) {
            brick[i] = i % BRICKS;
            score[i] += shift[brick[i]][label[i]];
        }
        assert_int_equal(auc_measure(&auc, score, label, brick, BRICKS, N, NULL), 0);
        assert_int_equal(auc.clusters, BRICKS);
        assert_true(auc_design_effect(&auc) >= 1);
        auc_interval(&auc, 0.95, &low, &high);
        covered += low <= 0.5 && 0.5 <= high;
        covered_alone += fabs(auc.value - 0.5) < 1.96 * sqrt(auc.variance);
    }
    assert_true(covered > 0.92 * TRIALS);
    assert_true(covered_alone < 0.80 * TRIALS);
}

static void clusters_count_only_where_there_are_enough(void **state)
{
    (void)state;
    double score[N];
    uint8_t label[N];
    uint32_t brick[N];
    struct auc few, none;
    struct rng rng;
    rng_init(&rng, 4, STREAM, 0);
    draw(&rng, 1, 0, N, score, label);
    for (size_t i = 0; i < N; i++)
        brick[i] = 3 * (i % (AUC_LEAST_CLUSTERS - 1)); /* of 1000 bricks most are in another bin */
    assert_int_equal(auc_measure(&few, score, label, brick, 1000, N, NULL), 0);
    assert_int_equal(auc_measure(&none, score, label, NULL, 0, N, NULL), 0);
    assert_int_equal(few.clusters, AUC_LEAST_CLUSTERS - 1);
    assert_true(few.cluster_variance == 0 && auc_safe_variance(&few) == none.variance);
}

static void perfect_separation_still_has_a_width(void **state)
{
    (void)state;
    const double score[6] = {1, 2, 3, 4, 5, 6};
    const uint8_t label[6] = {0, 0, 0, 1, 1, 1};
    double low, high;
    struct auc auc;
    assert_int_equal(auc_measure(&auc, score, label, NULL, 0, 6, NULL), 0);
    auc_interval(&auc, 0.95, &low, &high);
    assert_near(low, pow(0.025, 1.0 / 3), 1e-10);
    assert_near(high, 1, 0);
    assert_near(auc_lower_limit(&auc, 0.95), pow(0.05, 1.0 / 3), 1e-10);
}

static void bad_scores_and_lone_examples_are_refused(void **state)
{
    (void)state;
    double score[4] = {0.1, 0.2, 0.3, NAN};
    const uint8_t label[4] = {0, 1, 0, 1}, lone[4] = {0, 0, 0, 1};
    struct auc auc;
    struct err err = {0};
    assert_int_equal(auc_measure(&auc, score, label, NULL, 0, 4, &err), -EINVAL);
    assert_contains(err.text, "example 3");
    score[3] = 1;
    assert_int_equal(auc_measure(&auc, score, lone, NULL, 0, 4, &err), -EINVAL);
    assert_contains(err.text, "1 fake and 3 real");
}

static void curve_has_the_area_of_the_auc(void **state)
{
    (void)state;
    double score[N], x[N + 2], y[N + 2], area = 0;
    uint8_t label[N];
    struct auc auc;
    struct rng rng;
    rng_init(&rng, 5, STREAM, 0);
    draw(&rng, 0.7, 3, N, score, label);
    assert_int_equal(auc_measure(&auc, score, label, NULL, 0, N, NULL), 0);
    size_t count = auc_curve(score, label, N, x, y, N + 2);
    assert_true(count > 2 && x[0] == 0 && y[0] == 0 && x[count - 1] == 1 && y[count - 1] == 1);
    for (size_t i = 1; i < count; i++) {
        assert_true(x[i] >= x[i - 1] && y[i] >= y[i - 1]);
        area += 0.5 * (x[i] - x[i - 1]) * (y[i] + y[i - 1]);
    }
    assert_near(area, auc.value, 1e-12);
    for (size_t most = 2; most < 40; most++)
        assert_true(auc_curve(score, label, N, x, y, most) <= most);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auc_and_delong_match_all_pairs),
        cmocka_unit_test(null_variance_is_that_of_all_label_permutations),
        cmocka_unit_test(delong_covers_the_true_auc),
        cmocka_unit_test(clusters_widen_the_interval_until_it_covers),
        cmocka_unit_test(clusters_count_only_where_there_are_enough),
        cmocka_unit_test(perfect_separation_still_has_a_width),
        cmocka_unit_test(bad_scores_and_lone_examples_are_refused),
        cmocka_unit_test(curve_has_the_area_of_the_auc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
