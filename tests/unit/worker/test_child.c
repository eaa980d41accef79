/* Run by mpirun on several ranks, and without it on one. */
#include "common/clock.h"
#include "daemon/worker/child.h"
#include "daemon/worker/team.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <signal.h>

static struct team *team;
static char WORD[] = "home";
static const struct confinement MAY = {.memory = 512 << 20};

static int bring_text(void *context, struct child_yield *yield, struct err *err)
{
    (void)err;
    yield->data = strdup(context);
    yield->size = strlen(context);
    return 0;
}

static int bring_much(void *context, struct child_yield *yield, struct err *err)
{
    (void)err;
    yield->size = *(const size_t *)context;
    yield->data = malloc(yield->size);
    memset(yield->data, 'x', yield->size);
    return 0;
}

static int give_up(void *context, struct child_yield *yield, struct err *err)
{
    yield->fatal = *(const int *)context == -ENOSPC;
    return err_set(err, *(const int *)context, "the brick is \033[1mbad");
}

static int die(void *context, struct child_yield *yield, struct err *err)
{
    (void)yield;
    (void)err;
    signal(*(const int *)context, SIG_DFL);
    raise(*(const int *)context);
    return 0;
}

static int leave(void *context, struct child_yield *yield, struct err *err)
{
    (void)context;
    (void)yield;
    (void)err;
    _exit(3);
}

static int hang(void *context, struct child_yield *yield, struct err *err)
{
    (void)context;
    (void)yield;
    (void)err;
    while (pause() < 0)
        ;
    return 0;
}

static int spin(void *context, struct child_yield *yield, struct err *err)
{
    (void)context;
    (void)yield;
    (void)err;
    for (volatile bool on = true; on;)
        ;
    return 0;
}

static int take_memory(void *context, struct child_yield *yield, struct err *err)
{
    (void)context;
    yield->fatal = true;
    void *memory = malloc((size_t)1 << 30);
    int code = memory ? 0 : err_set(err, -ENOMEM, "out of memory for a plane");
    free(memory);
    return code;
}

static void work_brings_its_data_home(void **state)
{
    (void)state;
    struct child_yield yield;
    size_t much = 3 << 20;
    assert_int_equal(child_run(&MAY, 60, bring_text, WORD, &yield, NULL), 0);
    assert_string_equal(yield.data, "home");
    free(yield.data);
    assert_int_equal(child_run(&MAY, 60, bring_much, &much, &yield, NULL), 0);
    assert_int_equal(yield.size, much);
    assert_int_equal(strlen(yield.data), much);
    free(yield.data);
}

static void failure_keeps_its_sentence_and_whose_fault_it_is(void **state)
{
    (void)state;
    struct child_yield yield;
    struct err err = {0};
    int codes[] = {-EINVAL, -ENOSPC};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(child_run(&MAY, 60, give_up, &codes[i], &yield, &err), codes[i]);
        assert_contains(err.text, "the brick is");
        assert_null(strchr(err.text, '\033'));
        assert_int_equal(yield.fatal, i);
        assert_null(yield.data);
    }
}

static void death_by_a_signal_is_named(void **state)
{
    (void)state;
    struct child_yield yield;
    struct err err = {0};
    int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGKILL};
    const char *words[] = {"signal 11 (Segmentation fault)", "signal 7", "signal 8", "signal 6", "signal 9"};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        assert_int_equal(child_run(&MAY, 60, die, &signals[i], &yield, &err), -ECHILD);
        assert_contains(err.text, words[i]);
        assert_false(yield.fatal);
    }
    assert_int_equal(child_run(&MAY, 60, leave, NULL, &yield, &err), -ECHILD);
    assert_contains(err.text, "status 3");
}

static void time_and_memory_are_bounded(void **state)
{
    (void)state;
    struct child_yield yield;
    struct err err = {0};
    double start_s = clock_monotonic_s();
    assert_int_equal(child_run(&MAY, 0.2, hang, NULL, &yield, &err), -ETIMEDOUT);
    assert_true(clock_monotonic_s() - start_s < 30);
    struct confinement brief = {.cpu_s = 0.1};
    assert_int_equal(child_run(&brief, 60, spin, NULL, &yield, &err), -ECHILD);
    assert_contains(err.text, "CPU time used up");
#ifndef __SANITIZE_ADDRESS__
    assert_int_equal(child_run(&MAY, 60, take_memory, NULL, &yield, &err), -ENOMEM);
    assert_false(yield.fatal);
#endif
}

/* The ranks go on speaking with one another while their children work and die. */
static void ranks_claim_while_children_die(void **state)
{
    (void)state;
    enum { COUNT = 60 };
    double seen[COUNT] = {0};
    int number = SIGSEGV;
    for (long i; (i = team_claim(team, COUNT)) < COUNT;) {
        struct child_yield yield;
        int code = i % 3 ? child_run(&MAY, 60, bring_text, WORD, &yield, NULL)
                         : child_run(&MAY, 60, die, &number, &yield, NULL);
        assert_int_equal(code, i % 3 ? 0 : -ECHILD);
        free(yield.data);
        seen[i]++;
    }
    team_sum(team, seen, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_near(seen[i], 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_brings_its_data_home),
        cmocka_unit_test(failure_keeps_its_sentence_and_whose_fault_it_is),
        cmocka_unit_test(death_by_a_signal_is_named),
        cmocka_unit_test(time_and_memory_are_bounded),
        cmocka_unit_test(ranks_claim_while_children_die),
    };
    if (team_create(&team, NULL) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    team_destroy(team);
    return failed;
}
