/* Run alone, and by mpirun on 3 ranks: the sum has the bits of the tree written out by hand. */
#include "daemon/worker/train/tree.h"
#include "common/rng.h"
#include "tests/unit/check.h"

#include <errno.h>

enum { BLOCK = 1000, LEAVES_MAX = 37 };

static struct team *team;

static void fill_leaf(long leaf, float *block, double *statistics)
{
    struct rng rng;
    rng_init(&rng, 9, 9, (uint64_t)leaf);
    for (int i = 0; i < BLOCK; i++)
        block[i] = (float)(rng_normal(&rng) * (i % 3 ? 1 : 1e6));
    statistics[0] = rng_normal(&rng);
    statistics[1] = 1;
}

static int make_leaf(void *context, long leaf, float *block, double *statistics, struct err *err)
{
    long *calls = context;
    (void)err;
    ++*calls;
    fill_leaf(leaf, block, statistics);
    return 0;
}

static void sum_by_hand(long first, long end, float *block, double *statistics)
{
    float right[BLOCK];
    double others[2];
    if (end - first == 1) {
        fill_leaf(first, block, statistics);
        return;
    }
    long half = 1;
    while (half * 2 < end - first)
        half *= 2;
    sum_by_hand(first, first + half, block, statistics);
    sum_by_hand(first + half, end, right, others);
    for (int i = 0; i < BLOCK; i++)
        block[i] += right[i];
    statistics[0] += others[0];
    statistics[1] += others[1];
}

static void tree_sum_has_the_bits_of_the_fixed_tree(void **state)
{
    (void)state;
    struct err err = {0};
    struct tree *tree;
    assert_int_equal(tree_create(&tree, team, BLOCK, 2, &err), 0);
    for (long count = 1; count <= LEAVES_MAX; count++) {
        float wanted[BLOCK];
        double sums[2];
        const float *block;
        const double *statistics;
        long calls = 0;
        sum_by_hand(0, count, wanted, sums);
        assert_int_equal(tree_sum(tree, count, make_leaf, &calls, &block, &statistics, &err), 0);
        assert_memory_equal(block, wanted, sizeof wanted);
        assert_memory_equal(statistics, sums, sizeof sums);
        assert_int_equal(statistics[1], count);
        double all = (double)calls;
        team_sum(team, &all, 1);
        assert_int_equal(all, count);
    }
    tree_destroy(tree);
}

static void tree_owner_deals_evenly_and_gives_rank_0_the_first(void **state)
{
    (void)state;
    for (int ranks = 1; ranks < 12; ranks++) {
        for (long count = 1; count < 50; count++) {
            int least = 1000, most = 0, owned[12] = {0};
            assert_int_equal(tree_owner(0, count, ranks), 0);
            for (long leaf = 0; leaf < count; leaf++) {
                int rank = tree_owner(leaf, count, ranks);
                assert_true(rank < ranks && (leaf == 0 || rank >= tree_owner(leaf - 1, count, ranks)));
                owned[rank]++;
            }
            for (int rank = 0; rank < ranks; rank++) {
                int64_t first, end;
                tree_share(count, ranks, rank, &first, &end);
                assert_int_equal(end - first, owned[rank]);
                assert_true(first == end || tree_owner(first, count, ranks) == rank);
                least = owned[rank] < least ? owned[rank] : least;
                most = owned[rank] > most ? owned[rank] : most;
            }
            assert_true(most - least <= 1);
        }
    }
}

static int fail_leaf(void *context, long leaf, float *block, double *statistics, struct err *err)
{
    (void)context, (void)block, (void)statistics;
    return leaf == 2 ? err_set(err, -EIO, "leaf 2") : 0;
}

static void tree_sum_hands_on_a_leafs_error(void **state)
{
    (void)state;
    struct err err = {0};
    struct tree *tree;
    const float *block;
    const double *statistics;
    if (team_size(team) > 1)
        skip(); /* the job ends all ranks then */
    assert_int_equal(tree_create(&tree, team, BLOCK, 2, &err), 0);
    assert_int_equal(tree_sum(tree, 5, fail_leaf, NULL, &block, &statistics, &err), -EIO);
    assert_string_equal(err.text, "leaf 2");
    tree_destroy(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_sum_has_the_bits_of_the_fixed_tree),
        cmocka_unit_test(tree_owner_deals_evenly_and_gives_rank_0_the_first),
        cmocka_unit_test(tree_sum_hands_on_a_leafs_error),
    };
    struct err err = {0};
    if (team_create(&team, &err) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    team_destroy(team);
    return failed;
}
