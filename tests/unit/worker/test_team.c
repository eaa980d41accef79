/* Run by mpirun on several ranks, and without it on one. */
#include "daemon/worker/team.h"
#include "tests/unit/check.h"

static struct team *team;

static void claims_are_handed_out_once(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    for (int round = 0; round < 2; round++) {
        double seen[COUNT] = {0};
        for (long i; (i = team_claim(team, COUNT)) < COUNT;)
            seen[i] += 1;
        team_sum(team, seen, COUNT);
        for (int i = 0; i < COUNT; i++)
            assert_near(seen[i], 1, 0);
        team_claim_reset(team);
    }
}

static void texts_arrive_in_rank_order(void **state)
{
    (void)state;
    char mine[32], **texts;
    snprintf(mine, sizeof mine, "rank %d", team_rank(team));
    assert_int_equal(team_gather_text(team, mine, &texts), 0);
    for (int rank = 0; texts && rank < team_size(team); rank++) {
        snprintf(mine, sizeof mine, "rank %d", rank);
        assert_string_equal(texts[rank], mine);
        free(texts[rank]);
    }
    free(texts);
}

static void blocks_go_round_the_ranks(void **state)
{
    (void)state;
    int size = team_size(team), rank = team_rank(team), token[3] = {7, 8, 9};
    if (size > 1 && rank == 0)
        team_send(team, token, sizeof token, 1);
    if (rank > 0) {
        int got[3] = {0};
        team_receive(team, got, sizeof got, rank - 1);
        assert_memory_equal(got, token, sizeof token);
        if (rank + 1 < size)
            team_send(team, got, sizeof got, rank + 1);
    }
    team_barrier(team);
}

static void one_rank_is_enough_for_any(void **state)
{
    (void)state;
    assert_true(team_any(team, team_rank(team) == team_size(team) - 1));
    assert_false(team_any(team, false));
    char word[8] = {0};
    if (team_rank(team) == 0)
        strcpy(word, "decoy");
    team_broadcast(team, word, sizeof word, 0);
    assert_string_equal(word, "decoy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_are_handed_out_once),
        cmocka_unit_test(texts_arrive_in_rank_order),
        cmocka_unit_test(blocks_go_round_the_ranks),
        cmocka_unit_test(one_rank_is_enough_for_any),
    };
    if (team_create(&team, NULL) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    team_destroy(team);
    return failed;
}
