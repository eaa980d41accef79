#include "daemon/worker/bind.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <sched.h>

static void each_rank_finds_its_own_cores(void **unused)
{
    (void)unused;
    static const char TEXT[] = "n10/8:0,1,2,3;n1.site/4:2,3";
    int chosen[2];
    assert_int_equal(bind_choose(TEXT, "n10.site", 0, 2, 8, chosen), 0);
    assert_true(chosen[0] == 0 && chosen[1] == 1);
    assert_int_equal(bind_choose(TEXT, "n10", 1, 2, 8, chosen), 0);
    assert_true(chosen[0] == 2 && chosen[1] == 3);
    assert_int_equal(bind_choose(TEXT, "n1", 1, 1, 4, chosen), 0);
    assert_int_equal(chosen[0], 3);
    assert_int_equal(bind_choose(TEXT, "n1", 2, 1, 4, chosen), -ENOENT);
    assert_int_equal(bind_choose(TEXT, "n2", 0, 1, 4, chosen), -ENOENT);
    assert_int_equal(bind_choose(TEXT, "n1", 0, 1, 2, chosen), -EDOM);
}

static void a_rank_is_bound_where_all_its_cpus_are_decoyd_s(void **unused)
{
    (void)unused;
    char host[128], text[256];
    cpu_set_t before, after;
    sched_getaffinity(0, sizeof before, &before);
    gethostname(host, sizeof host);
    snprintf(text, sizeof text, "%s/%d:0", host, CPU_COUNT(&before) + 1);
    setenv("DECOY_CPUS", text, 1);
    unsetenv("SLURM_LOCALID");
    unsetenv("OMPI_COMM_WORLD_LOCAL_RANK");
    bind_rank(1);
    sched_getaffinity(0, sizeof after, &after);
    assert_true(CPU_EQUAL(&before, &after));
    snprintf(text, sizeof text, "%s/%d:%d", host, CPU_COUNT(&before), CPU_COUNT(&before) - 1);
    setenv("DECOY_CPUS", text, 1);
    bind_rank(1);
    sched_getaffinity(0, sizeof after, &after);
    int last = CPU_SETSIZE - 1;
    while (!CPU_ISSET(last, &before))
        last--;
    assert_true(CPU_COUNT(&after) == 1 && CPU_ISSET(last, &after));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_rank_finds_its_own_cores),
                                       cmocka_unit_test(a_rank_is_bound_where_all_its_cpus_are_decoyd_s)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
