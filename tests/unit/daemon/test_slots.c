#include "daemon/slots.h"
#include "common/cleanup.h"
#include "tests/unit/check.h"

#include <errno.h>

static struct slots make(const int *totals, size_t count, bool allocated)
{
    struct slots slots;
    struct host *hosts = calloc(count, sizeof *hosts);
    for (size_t i = 0; i < count; i++) {
        snprintf(hosts[i].name, sizeof hosts[i].name, "h%zu", i + 1);
        hosts[i].total = totals[i];
    }
    slots_init(&slots, hosts, count, allocated);
    return slots;
}

static struct job_row job(int ranks, int threads)
{
    return (struct job_row){.kind = (char *)"train", .ranks = ranks, .threads = threads};
}

static void expect(struct slots *slots, int ranks, int threads, struct placement *placement, const char *cpus)
{
    struct job_row row = job(ranks, threads);
    assert_true(slots_take(slots, &row, placement));
    CLEANUP(free_ptr) char *text = placement_cpus(slots, placement);
    assert_string_equal(text, cpus);
}

static void slots_are_ranks_times_threads_and_are_given_back(void **unused)
{
    (void)unused;
    struct slots slots = make((int[]){6}, 1, false);
    struct placement a, b, c;
    struct job_row three = job(1, 3);
    expect(&slots, 2, 2, &a, "h1/6:0,1,2,3");
    assert_false(slots_take(&slots, &three, &b));
    slots_give(&slots, &a);
    expect(&slots, 1, 3, &b, "h1/6:0,1,2");
    expect(&slots, 1, 3, &c, "h1/6:3,4,5");
    assert_int_equal(slots.used, 6);
    slots_give(&slots, &b);
    slots_give(&slots, &c);
    assert_int_equal(slots.used, 0);
    slots_clear(&slots);
}

static void a_job_that_can_never_start_is_refused_with_the_numbers(void **unused)
{
    (void)unused;
    struct slots slots = make((int[]){2}, 1, false), two = make((int[]){3, 3}, 2, true);
    struct err err = {0};
    struct job_row fits = job(2, 1), huge = job(100000, 1024), split = job(3, 2);
    assert_int_equal(slots_check(&slots, &fits, &err), 0);
    assert_int_equal(slots_check(&slots, &huge, &err), -EINVAL);
    assert_contains(err.text, "100000 ranks x 1024 threads = 102400000 slots, but decoyd has 2");
    assert_int_equal(slots_check(&two, &split, &err), -EINVAL);
    assert_contains(err.text, "room for 2 such ranks");
    slots_clear(&slots);
    slots_clear(&two);
}

static void jobs_side_by_side_share_no_core(void **unused)
{
    (void)unused;
    struct slots slots = make((int[]){4, 4}, 2, true);
    struct placement a, b, c, d;
    expect(&slots, 2, 1, &a, "h1/4:0,1");
    expect(&slots, 4, 1, &b, "h2/4:0,1,2,3"); /* the host that has room for all of it */
    expect(&slots, 1, 1, &c, "h1/4:2");
    slots_give(&slots, &a);
    expect(&slots, 3, 1, &d, "h1/4:0,1,3");
    slots_give(&slots, &b);
    slots_give(&slots, &c);
    slots_give(&slots, &d);
    assert_int_equal(slots.used, 0);
    expect(&slots, 3, 2, &a, "h1/4:0,1,2,3;h2/4:0,1"); /* the threads of a rank stay together */
    slots_give(&slots, &a);
    slots_clear(&slots);
}

static void a_lost_host_takes_no_more_and_jobs_take_fewer_ranks(void **unused)
{
    (void)unused;
    struct slots slots = make((int[]){2, 2, 2}, 3, true);
    struct placement a, b;
    struct job_row five = job(5, 1);
    expect(&slots, 5, 1, &a, "h1/2:0,1;h2/2:0,1;h3/2:0");
    slots_lose(&slots, 1);
    assert_int_equal(slots.total, 4);
    assert_int_equal(slots.used, 3);
    assert_int_equal(slots_ranks(&slots, &five), 4);
    slots_give(&slots, &a);
    assert_int_equal(slots.used, 0);
    expect(&slots, 5, 1, &b, "h1/2:0,1;h3/2:0,1");
    assert_int_equal(b.ranks, 4);
    slots_give(&slots, &b);
    slots_clear(&slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_ranks_times_threads_and_are_given_back),
        cmocka_unit_test(a_job_that_can_never_start_is_refused_with_the_numbers),
        cmocka_unit_test(jobs_side_by_side_share_no_core),
        cmocka_unit_test(a_lost_host_takes_no_more_and_jobs_take_fewer_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
