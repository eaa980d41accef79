#include "daemon/worker/evaluate/verdict.h"
#include "common/rng.h"
#include "daemon/worker/evaluate/property.h"
#include "daemon/worker/statistics/distribution.h"
#include "tests/unit/check.h"

#include <math.h>

enum { STREAM = 78, MOST = 40000 };

static double score[MOST], mag_g[MOST];
static uint8_t label[MOST];
static uint32_t brick[MOST];

/* n examples, half of them fakes; a fake's score leads by `lead` standard deviations. */
static struct verdict_input draw(uint64_t trial, size_t n, double lead, double delta)
{
    struct rng rng;
    rng_init(&rng, 11, STREAM, trial);
    for (size_t i = 0; i < n; i++) {
        label[i] = i % 2;
        score[i] = normal_upper_tail(-rng_normal(&rng) - (label[i] ? lead : 0));
        mag_g[i] = rng_range(&rng, 21, 24);
        brick[i] = (uint32_t)rng_below(&rng, 30);
    }
    return (struct verdict_input){
        .n = n, .score = score, .label = label, .brick = brick, .bricks = 30, .delta = delta};
}

/* With its bins by mag_g, or without any. */
static int reach(struct verdict *verdict, const struct verdict_input *input, bool bins)
{
    int code = verdict_measure(verdict, input, NULL);
    if (!code && bins)
        code = verdict_break_down(verdict, input, &PROPERTIES[0], mag_g, NULL);
    if (!code)
        verdict_decide(verdict);
    return code;
}

static void alike_classes_are_rarely_called_distinguishable(void **state)
{
    (void)state;
    enum { TRIALS = 2000 };
    int outcomes[VERDICT_OUTCOME_MAX] = {0};
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        struct verdict verdict;
        struct verdict_input input = draw(trial, 500, 0, 0.05);
        input.bricks = 0;
        input.brick = NULL;
        assert_int_equal(reach(&verdict, &input, true), 0);
        outcomes[verdict.outcome]++;
    }
    /* 20 expected; 36 would be 3.6 standard deviations above */
    print_message("%d of %d null runs were called distinguishable\n", outcomes[VERDICT_DISTINGUISHABLE],
                  TRIALS);
    assert_true(outcomes[VERDICT_DISTINGUISHABLE] <= 36 && outcomes[VERDICT_DISTINGUISHABLE] >= 4);
    assert_true(outcomes[VERDICT_INCONCLUSIVE] > TRIALS / 4);
}

static void a_real_lead_is_called_distinguishable(void **state)
{
    (void)state;
    struct verdict verdict;
    const struct verdict_input input = draw(1, 1000, 0.6, 0.05);
    assert_int_equal(reach(&verdict, &input, true), 0);
    assert_int_equal(verdict.outcome, VERDICT_DISTINGUISHABLE);
    assert_contains(verdict.sentence, "Distinguishable: the network tells fakes from reals");
    assert_true(verdict.auc_low < verdict.auc.value && verdict.auc.value < verdict.auc_high);
    assert_true(verdict.accuracy.p < 1e-6 && verdict.accuracy.fisher_p < 1e-6 && verdict.p < 1e-6);
    assert_true(verdict.clustered && verdict.bricks == 30 && verdict.needed == 0);
}

/* Scores are normal, so that fakes lead by sqrt(2) times the quantile of the AUC. */
static void the_least_auc_is_seen_nine_times_of_ten(void **state)
{
    (void)state;
    enum { TRIALS = 1000, N = 600 };
    struct verdict verdict;
    struct verdict_input input = draw(3, N, 0, 0.05);
    input.brick = NULL;
    assert_int_equal(reach(&verdict, &input, false), 0);
    double least = verdict.least_auc, delta = verdict.least_delta;
    int seen = 0, confirmed = 0;
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        input = draw(TRIALS + trial, N, sqrt(2) * normal_quantile(least), 0.0001);
        input.brick = NULL;
        assert_int_equal(reach(&verdict, &input, false), 0);
        seen += verdict.outcome == VERDICT_DISTINGUISHABLE;
        input = draw(2 * TRIALS + trial, N, 0, delta);
        input.brick = NULL;
        assert_int_equal(reach(&verdict, &input, false), 0);
        confirmed += verdict.outcome == VERDICT_REPRESENTATIVE;
    }
    print_message("AUC %.3f seen in %d, delta %.3f confirmed in %d of %d\n", least, seen, delta, confirmed,
                  TRIALS);
    assert_in_range(seen, 870, 930); /* 3 standard deviations of 900 are 28 */
    assert_in_range(confirmed, 870, 930);
}

static void sensitivity_is_said_where_nothing_was_found(void **state)
{
    (void)state;
    struct verdict verdict;
    struct verdict_input input = draw(4, 500, 0, 0.01);
    assert_int_equal(reach(&verdict, &input, false), 0);
    assert_contains(verdict.detail, "would have been called distinguishable nine times of ten");
    for (size_t i = 0; i < input.n; i++)
        score[i] = 0.5;
    assert_int_equal(reach(&verdict, &input, false), 0);
    assert_true(isnan(verdict.least_auc) && isnan(verdict.least_delta) && !verdict.detail[0]);
    input = draw(5, 8, 0, 0.01); /* too few to show anything */
    assert_int_equal(reach(&verdict, &input, false), 0);
    assert_true(isnan(verdict.least_auc));
}

static void a_difference_below_the_margin_is_representative_and_said(void **state)
{
    (void)state;
    struct verdict verdict;
    const struct verdict_input input = draw(2, MOST, 0.06, 0.05);
    assert_int_equal(reach(&verdict, &input, true), 0);
    assert_true(verdict.p < VERDICT_ALPHA && verdict.upper < 0.55);
    assert_int_equal(verdict.outcome, VERDICT_REPRESENTATIVE);
    assert_contains(verdict.detail, "A difference is there");
}

static void the_margin_decides_at_its_border(void **state)
{
    (void)state;
    struct verdict verdict;
    struct verdict_input input = draw(3, 2000, 0, 0.05);
    assert_int_equal(reach(&verdict, &input, true), 0);
    double border = verdict.upper - 0.5;
    assert_true(border > 0 && verdict.p > VERDICT_ALPHA);
    input.delta = border * (1 + 1e-9);
    assert_int_equal(reach(&verdict, &input, true), 0);
    assert_int_equal(verdict.outcome, VERDICT_REPRESENTATIVE);
    input.delta = border * (1 - 1e-9);
    assert_int_equal(reach(&verdict, &input, true), 0);
    assert_int_equal(verdict.outcome, VERDICT_INCONCLUSIVE);
    assert_contains(verdict.sentence, "more examples would decide");
}

/* With the number of examples it asks for, the verdict decides about as often as its power says. */
static void the_needed_number_of_examples_decides(void **state)
{
    (void)state;
    enum { TRIALS = 60 };
    struct verdict verdict;
    struct verdict_input input = {0};
    for (uint64_t trial = 10; verdict.outcome != VERDICT_INCONCLUSIVE || trial == 10; trial++) {
        input = draw(trial, 600, 0, 0.05);
        assert_int_equal(reach(&verdict, &input, true), 0);
    }
    assert_true(verdict.needed > 600);
    int decided = 0;
    size_t n = 2 * (size_t)(pow((1.645 + 1.282) / 0.05, 2) / 6); /* verdict.md's n for an AUC of 0.5 */
    for (uint64_t trial = 100; trial < 100 + TRIALS; trial++) {
        input = draw(trial, n, 0, 0.05);
        assert_int_equal(reach(&verdict, &input, true), 0);
        decided += verdict.outcome == VERDICT_REPRESENTATIVE;
    }
    assert_true(decided > 0.75 * TRIALS);
}

static void a_network_that_learned_nothing_decides_nothing(void **state)
{
    (void)state;
    struct verdict verdict;
    const struct verdict_input input = draw(4, MOST, 0, 0.05);
    for (size_t i = 0; i < input.n; i++)
        score[i] = 0.5;
    assert_int_equal(reach(&verdict, &input, true), 0);
    assert_int_equal(verdict.outcome, VERDICT_INCONCLUSIVE);
    assert_contains(verdict.sentence, "the same score");
}

static void a_reversed_score_is_not_representative(void **state)
{
    (void)state;
    struct verdict verdict;
    const struct verdict_input input = draw(5, 2000, -0.8, 0.05);
    assert_int_equal(reach(&verdict, &input, true), 0);
    assert_true(verdict.upper < 0.5);
    assert_int_equal(verdict.outcome, VERDICT_INCONCLUSIVE);
    assert_contains(verdict.sentence, "below one half by more than chance");
}

static void unequal_classes_are_measured_against_the_majority(void **state)
{
    (void)state;
    struct verdict verdict;
    struct verdict_input input = draw(6, 1000, 0, 0.05);
    for (size_t i = 0; i < input.n; i++) {
        label[i] = i % 10 == 0;
        score[i] = 0.1; /* all called real: right nine times in ten, and worth nothing */
    }
    assert_int_equal(reach(&verdict, &input, true), 0);
    assert_near(verdict.accuracy.value, 0.9, 1e-15);
    assert_near(verdict.accuracy.majority, 0.9, 1e-15);
    assert_true(verdict.accuracy.p > 0.4);
    assert_near(verdict.accuracy.balanced, 0.5, 1e-15);
    assert_near(verdict.accuracy.fisher_p, 1, 0);
}

static void bins_hold_all_but_the_tails_and_find_where_the_lead_is(void **state)
{
    (void)state;
    struct verdict verdict;
    struct verdict_input input = draw(7, 4000, 0, 0.05);
    mag_g[5] = NAN;
    for (size_t i = 0; i < input.n; i++)
        score[i] += label[i] && mag_g[i] < 21.7 ? 0.5 : 0;
    assert_int_equal(reach(&verdict, &input, true), 0);
    assert_int_equal(verdict.property_count, 1);
    size_t held = 0;
    for (size_t i = 0; i < VERDICT_BINS; i++)
        held += verdict.properties[0].bins[i].fakes + verdict.properties[0].bins[i].reals;
    assert_in_range(held, 3915, 3925);
    assert_near(verdict.properties[0].percentile[2], 22.5, 0.1);
    assert_true(verdict.properties[0].bins[0].auc.value > 0.8 && verdict.properties[0].bins[0].p_holm < 1e-6);
    assert_true(verdict.properties[0].bins[3].auc.value < 0.6 &&
                verdict.properties[0].bins[3].p_holm >= verdict.properties[0].bins[3].p);
    assert_contains(verdict.detail, "Most so at g = 21.0");
    assert_int_equal(reach(&verdict, &input, false), 0);
    assert_int_equal(verdict.property_count, 0);
}

static void holm_matches_a_worked_example(void **state)
{
    (void)state;
    struct verdict verdict;
    const struct verdict_input input = draw(8, 4000, 0.15, 0.05);
    assert_int_equal(reach(&verdict, &input, true), 0);
    double p[VERDICT_BINS];
    int rank[VERDICT_BINS];
    for (int i = 0; i < VERDICT_BINS; i++) {
        rank[i] = 0;
        p[i] = verdict.properties[0].bins[i].p;
        for (int j = 0; j < VERDICT_BINS; j++)
            rank[i] += verdict.properties[0].bins[j].p < p[i];
    }
    for (int k = 0, i = 0; k < VERDICT_BINS; k++) {
        double before = 0;
        for (i = 0; rank[i] != k; i++) {
        }
        for (int j = 0; j < VERDICT_BINS; j++)
            before = rank[j] == k - 1 ? verdict.properties[0].bins[j].p_holm : before;
        assert_near(verdict.properties[0].bins[i].p_holm, fmin(1, fmax(before, p[i] * (VERDICT_BINS - k))),
                    1e-15);
    }
}

static void json_has_every_documented_key(void **state)
{
    (void)state;
    struct verdict verdict;
    const struct verdict_input input = draw(9, 300, 0, 0.01);
    assert_int_equal(reach(&verdict, &input, true), 0);
    json_t *json = verdict_to_json(&verdict);
    assert_non_null(json);
    const char *name, *sentence;
    double value, needed;
    assert_int_equal(json_unpack(json, "{ss ss s{sf} s{sf} s[{s{sf}}]}", "verdict", &name, "sentence",
                                 &sentence, "auc", "value", &value, "equivalence", "needed", &needed, "bins",
                                 "auc", "p_holm", &value),
                     0);
    assert_string_equal(name, "inconclusive");
    assert_near(needed, verdict.needed, 0);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alike_classes_are_rarely_called_distinguishable),
        cmocka_unit_test(a_real_lead_is_called_distinguishable),
        cmocka_unit_test(the_least_auc_is_seen_nine_times_of_ten),
        cmocka_unit_test(sensitivity_is_said_where_nothing_was_found),
        cmocka_unit_test(a_difference_below_the_margin_is_representative_and_said),
        cmocka_unit_test(the_margin_decides_at_its_border),
        cmocka_unit_test(the_needed_number_of_examples_decides),
        cmocka_unit_test(a_network_that_learned_nothing_decides_nothing),
        cmocka_unit_test(a_reversed_score_is_not_representative),
        cmocka_unit_test(unequal_classes_are_measured_against_the_majority),
        cmocka_unit_test(bins_hold_all_but_the_tails_and_find_where_the_lead_is),
        cmocka_unit_test(holm_matches_a_worked_example),
        cmocka_unit_test(json_has_every_documented_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
