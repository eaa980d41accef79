#include "common/rng.h"
#include "daemon/worker/dataset/dataset.h"
#include "daemon/worker/split/assign.h"
#include "tests/unit/check.h"

#include <errno.h>

enum { MANY = 300 };

static void share(const size_t (*counts)[2], size_t bricks, const uint8_t *parts, int part, double shares[2])
{
    double total[2] = {0, 0}, there[2] = {0, 0};
    for (size_t b = 0; b < bricks; b++) {
        for (int c = 0; c < 2; c++) {
            total[c] += (double)counts[b][c];
            there[c] += parts[b] == part ? (double)counts[b][c] : 0;
        }
    }
    for (int c = 0; c < 2; c++)
        shares[c] = there[c] / total[c];
}

static void draw_counts(size_t (*counts)[2], size_t bricks, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, 1, 0);
    for (size_t b = 0; b < bricks; b++) {
        counts[b][0] = 50 + rng_below(&rng, 400);
        counts[b][1] = 50 + rng_below(&rng, 400);
    }
}

static void assign_meets_the_fractions(void **state)
{
    (void)state;
    size_t counts[MANY][2];
    uint8_t parts[MANY];
    double shares[2];
    for (uint64_t seed = 0; seed < 20; seed++) {
        size_t bricks = seed % 2 ? MANY : 20;
        draw_counts(counts, bricks, seed);
        assert_int_equal(assign_groups((const size_t(*)[2])counts, bricks, "brick", 0.2, 0.1, seed, parts, NULL), 0);
        for (int c = 0; c < 2; c++) {
            share((const size_t(*)[2])counts, bricks, parts, DATASET_TEST, shares);
            assert_near(shares[c], 0.2, bricks == MANY ? 0.005 : 0.04);
            share((const size_t(*)[2])counts, bricks, parts, DATASET_VALID, shares);
            assert_near(shares[c], 0.1, bricks == MANY ? 0.005 : 0.04);
        }
    }
}

static void assign_is_a_function_of_the_seed(void **state)
{
    (void)state;
    size_t counts[MANY][2];
    uint8_t one[MANY], again[MANY], other[MANY];
    draw_counts(counts, MANY, 1);
    assign_groups((const size_t(*)[2])counts, MANY, "brick", 0.2, 0.1, 1, one, NULL);
    assign_groups((const size_t(*)[2])counts, MANY, "brick", 0.2, 0.1, 1, again, NULL);
    assign_groups((const size_t(*)[2])counts, MANY, "brick", 0.2, 0.1, 2, other, NULL);
    assert_memory_equal(one, again, MANY);
    assert_memory_not_equal(one, other, MANY);
}

static void assign_gives_each_part_a_brick(void **state)
{
    (void)state;
    static const size_t COUNTS[][2] = {{1, 1}, {1000, 10}, {3, 900}, {5, 5}};
    for (size_t bricks = 2; bricks <= 4; bricks++) {
        for (uint64_t seed = 0; seed < 10; seed++) {
            uint8_t parts[4];
            size_t there[DATASET_PART_MAX] = {0};
            assert_int_equal(assign_groups(COUNTS, bricks, "brick", 0.05, 0.05, seed, parts, NULL), 0);
            for (size_t b = 0; b < bricks; b++)
                there[parts[b]]++;
            assert_true(there[DATASET_TRAIN] >= 1 && there[DATASET_TEST] >= 1);
            assert_int_equal(there[DATASET_VALID] >= 1, bricks >= 3);
        }
    }
}

static void assign_leaves_out_parts_nobody_wants(void **state)
{
    (void)state;
    static const size_t COUNTS[][2] = {{10, 10}, {10, 10}};
    uint8_t parts[2];
    assert_int_equal(assign_groups(COUNTS, 2, "brick", 0, 0, 1, parts, NULL), 0);
    assert_int_equal(parts[0], DATASET_TRAIN);
    assert_int_equal(parts[1], DATASET_TRAIN);
}

static void assign_says_when_bricks_are_too_few(void **state)
{
    (void)state;
    static const size_t COUNTS[][2] = {{10, 10}};
    uint8_t parts[1];
    struct err err;
    assert_int_equal(assign_groups(COUNTS, 1, "brick", 0.2, 0.1, 1, parts, &err), -EINVAL);
    assert_contains(err.text, "only one brick");
    assert_int_equal(assign_groups(COUNTS, 1, "brick", 0.6, 0.5, 1, parts, &err), -EINVAL);
    assert_contains(err.text, "nothing to train on");
    assert_int_equal(assign_groups(COUNTS, 0, "brick", 0.2, 0.1, 1, parts, &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assign_meets_the_fractions),
        cmocka_unit_test(assign_is_a_function_of_the_seed),
        cmocka_unit_test(assign_gives_each_part_a_brick),
        cmocka_unit_test(assign_leaves_out_parts_nobody_wants),
        cmocka_unit_test(assign_says_when_bricks_are_too_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
