/* Run alone, and by mpirun on 3 ranks: the sum has the bits of the tree written out by hand. */
#include "daemon/worker/train/tree.h"
#include "common/rng.h"
#include "daemon/worker/train/tree_plan.h"
#include "tests/unit/check.h"

#include <errno.h>

enum { BLOCK = 5 * TREE_SEGMENT_LEAST / 2, LEAVES_MAX = 21 };

static const size_t STARTS[] = {0, 40, TREE_SEGMENT_LEAST + 41, BLOCK - 10};

static struct team *team;
static struct tree *sums; /* under test */

static void fill_leaf(long leaf, float *block, double *statistics)
{
    struct rng rng;
    rng_init(&rng, 9, 9, (uint64_t)leaf);
    uint32_t word = rng_u32(&rng);
    for (int i = 0; i < BLOCK; i++) {
        word = word * 1664525u + 1013904223u;
        block[i] = ((float)word * 0x1p-32f - 0.5f) * (i % 3 ? 1 : 1e6f);
    }
    statistics[0] = rng_normal(&rng);
    statistics[1] = 1;
}

static int make_leaf(void *context, long leaf, float *block, double *statistics, struct err *err)
{
    long *calls = context;
    (void)err;
    ++*calls;
    fill_leaf(leaf, block, statistics);
    if (leaf % 3 == 0)
        return 0; /* all at once */
    for (int i = 3; i >= leaf % 3; i--)
        tree_ready(sums, STARTS[i]);
    return 0;
}

static struct tree *make_tree(enum tree_way way)
{
    struct err err = {0};
    const struct tree_options options = {
        .way = way, .block_count = BLOCK, .starts = STARTS, .segments = 4, .statistic_count = 2};
    assert_int_equal(tree_create(&sums, team, &options, &err), 0);
    return sums;
}

static void sum_by_hand(long first, long end, float *block, double *statistics)
{
    double others[2];
    if (end - first == 1) {
        fill_leaf(first, block, statistics);
        return;
    }
    long half = 1;
    while (half * 2 < end - first)
        half *= 2;
    float *right = malloc(BLOCK * sizeof *right);
    sum_by_hand(first, first + half, block, statistics);
    sum_by_hand(first + half, end, right, others);
    for (int i = 0; i < BLOCK; i++)
        block[i] += right[i];
    statistics[0] += others[0];
    statistics[1] += others[1];
    free(right);
}

static void expect_sum(struct tree *tree, long count, float tolerance)
{
    static float wanted[BLOCK];
    double totals[2];
    struct err err = {0};
    const float *block;
    const double *statistics;
    long calls = 0;
    sum_by_hand(0, count, wanted, totals);
    assert_int_equal(tree_sum(tree, count, make_leaf, &calls, &block, &statistics, &err), 0);
    for (int i = 0; i < BLOCK && tolerance > 0; i++)
        assert_near(block[i], wanted[i], tolerance * (i % 3 ? 1 : 1e6));
    if (tolerance == 0) {
        assert_memory_equal(block, wanted, sizeof wanted);
        assert_memory_equal(statistics, totals, sizeof totals);
    }
    assert_near(statistics[0], totals[0], 1e-12);
    assert_int_equal(statistics[1], count);
    double all = (double)calls;
    team_sum(team, &all, 1);
    assert_int_equal(all, count);
}

static void tree_sum_has_the_bits_of_the_fixed_tree(void **state)
{
    (void)state;
    struct tree *tree = make_tree(TREE_FIXED);
    for (long count = 1; count <= LEAVES_MAX; count++) {
        expect_sum(tree, count, 0);
        if (count % 5 == 0)
            expect_sum(tree, count, 0); /* by the same plan again */
    }
    tree_destroy(tree);
}

static void allreduce_sums_nearly_the_same(void **state)
{
    (void)state;
    struct tree *tree = make_tree(TREE_ALLREDUCE);
    for (long count = 1; count <= LEAVES_MAX; count += 3)
        expect_sum(tree, count, 1e-4f);
    tree_destroy(tree);
}

/* All ranks' lists played against each other: what is sent is received, in the same order, and nothing waits for
 * ever. */
static void plans_of_any_number_of_ranks_fit_together(void **state)
{
    (void)state;
    enum { RANKS_MAX = 19 };
    struct err err = {0};
    for (int ranks = 1; ranks <= RANKS_MAX; ranks++) {
        for (long count = 1; count <= LEAVES_MAX; count += 4) {
            struct tree_plan plans[RANKS_MAX];
            int at[RANKS_MAX] = {0}, under_way[RANKS_MAX][RANKS_MAX] = {{0}}, left = 0;
            for (int rank = 0; rank < ranks; rank++) {
                assert_int_equal(tree_plan_fixed(&plans[rank], count, ranks, rank, &err), 0);
                left += plans[rank].count;
            }
            for (int before = left + 1; left && left < before;) {
                before = left;
                for (int rank = 0; rank < ranks; rank++) {
                    for (; at[rank] < plans[rank].count; at[rank]++, left--) {
                        const struct tree_op *op = &plans[rank].ops[at[rank]];
                        if (op->action == TREE_RECEIVE && at[rank] <= plans[rank].last_leaf)
                            fail_msg("a rank waits before its last leaf");
                        if (op->action == TREE_RECEIVE && !under_way[op->other][rank]--) {
                            under_way[op->other][rank]++;
                            break;
                        }
                        if (op->action == TREE_SEND)
                            under_way[rank][op->other]++;
                    }
                }
            }
            assert_int_equal(left, 0);
            for (int rank = 0; rank < ranks; rank++)
                tree_plan_clear(&plans[rank]);
            for (int pair = 0; pair < ranks * ranks; pair++)
                assert_int_equal(under_way[pair / ranks][pair % ranks], 0);
        }
    }
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
    tree = make_tree(TREE_FIXED);
    assert_int_equal(tree_sum(tree, 5, fail_leaf, NULL, &block, &statistics, &err), -EIO);
    assert_string_equal(err.text, "leaf 2");
    tree_destroy(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_sum_has_the_bits_of_the_fixed_tree),
        cmocka_unit_test(allreduce_sums_nearly_the_same),
        cmocka_unit_test(plans_of_any_number_of_ranks_fit_together),
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
