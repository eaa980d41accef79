#include "proto/state.h"
#include "tests/unit/check.h"

#include <errno.h>

/* What each event makes of each state, written down a second time and by hand: rows are states in the enum's
 * order, columns events in theirs; a letter is the state that follows, '.' is refused. */
static const char *const EXPECTED[JOB_STATE_MAX] = {
    /* Columns: submitted held released ready started | note warning stop_asked requeued retried |
     * succeeded failed cancelled skipped | reopened priority_set checkpoint_asked */
    [JOB_NEW] = "W....|.....|....|...",     [JOB_HELD] = "..W..|.....|..CK|.H.",
    [JOB_WAITING] = ".H.R.|.....|..CK|.W.", [JOB_READY] = ".H..X|.....|..C.|.R.",
    [JOB_RUNNING] = ".....|XXXRR|SFC.|.XX", [JOB_SUCCEEDED] = ".....|.....|....|W..",
    [JOB_FAILED] = ".....|.....|....|W..",  [JOB_CANCELLED] = ".....|.....|....|W..",
    [JOB_SKIPPED] = ".....|.....|....|W..",
};

static const char LETTERS[JOB_STATE_MAX] = {'N', 'H', 'W', 'R', 'X', 'S', 'F', 'C', 'K'};

static struct job_life life_in(enum job_state state)
{
    return (struct job_life){
        .state = state, .attempt = 3, .failures = 1, .submitted_us = 5, .reason = "before"};
}

static void every_state_answers_every_event_as_written_down(void **unused)
{
    (void)unused;
    for (int state = 0; state < JOB_STATE_MAX; state++) {
        char expected[EVENT_MAX + 8];
        size_t count = 0;
        for (const char *at = EXPECTED[state]; *at; at++) {
            if (*at != '|')
                expected[count++] = *at;
        }
        assert_int_equal(count, EVENT_MAX);
        for (int name = 0; name < EVENT_MAX; name++) {
            struct job_life life = life_in((enum job_state)state), before = life;
            struct job_event event = {.job = 1, .time_us = 9, .name = (enum job_event_name)name};
            struct err err = {0};
            event.attempt = 3 + (name == EVENT_STARTED);
            int code = job_apply(&life, &event, &err);
            if (expected[name] == '.') {
                assert_int_equal(code, -EINVAL);
                assert_contains(err.text, job_state_name((enum job_state)state));
                assert_memory_equal(&life, &before, sizeof life);
            } else {
                assert_int_equal(code, 0);
                assert_int_equal(LETTERS[life.state], expected[name]);
            }
        }
    }
}

static void events_of_another_attempt_change_nothing(void **unused)
{
    (void)unused;
    for (int state = 0; state < JOB_STATE_MAX; state++) {
        for (int name = 0; name < EVENT_MAX; name++) {
            for (int attempt = 0; attempt < 6; attempt++) {
                struct job_life life = life_in((enum job_state)state), before = life;
                struct job_event event = {.name = (enum job_event_name)name, .attempt = attempt};
                if (attempt == 3 + (name == EVENT_STARTED))
                    continue;
                assert_true(job_apply(&life, &event, NULL) < 0);
                assert_memory_equal(&life, &before, sizeof life);
            }
        }
    }
}

static void an_ended_job_has_its_end_time_once(void **unused)
{
    (void)unused;
    for (int name = 0; name < EVENT_MAX; name++) {
        struct job_life life = life_in(JOB_RUNNING);
        struct job_event event = {.name = (enum job_event_name)name, .attempt = 3, .time_us = 77};
        if (job_apply(&life, &event, NULL) != 0)
            continue;
        assert_int_equal(life.ended_us, job_ended(life.state) ? 77 : 0);
    }
}

static int apply(struct job_life *life, enum job_event_name name, int attempt, json_t *context)
{
    struct job_event event = {.name = name, .attempt = attempt, .time_us = 100, .context = context};
    int code = job_apply(life, &event, NULL);
    json_decref(context);
    return code;
}

static void a_stronger_wish_to_stop_replaces_a_weaker_only(void **unused)
{
    (void)unused;
    struct job_life life = life_in(JOB_RUNNING);
    assert_int_equal(
        apply(&life, EVENT_STOP_ASKED, 3, json_pack("{ss ss}", "stop", "time_limit", "reason", "too long")),
        0);
    assert_int_equal(life.stop, STOP_TIME_LIMIT);
    assert_int_equal(
        apply(&life, EVENT_STOP_ASKED, 3, json_pack("{ss ss}", "stop", "shutdown", "reason", "down")), 0);
    assert_int_equal(life.stop, STOP_TIME_LIMIT);
    assert_string_equal(life.reason, "too long");
    assert_int_equal(apply(&life, EVENT_STOP_ASKED, 3, json_pack("{ss}", "stop", "cancel")), 0);
    assert_int_equal(life.stop, STOP_CANCEL);
    assert_int_equal(apply(&life, EVENT_STOP_ASKED, 3, json_pack("{ss}", "stop", "nonsense")), 0);
    assert_int_equal(life.stop, STOP_CANCEL);
}

static void a_retry_counts_and_a_requeue_does_not(void **unused)
{
    (void)unused;
    struct job_life life = life_in(JOB_RUNNING);
    assert_int_equal(apply(&life, EVENT_RETRIED, 3,
                           json_pack("{ss sI}", "reason", "no luck", "not_before_us", (json_int_t)500)),
                     0);
    assert_int_equal(life.failures, 2);
    assert_int_equal(life.not_before_us, 500);
    assert_string_equal(life.reason, "no luck");
    assert_int_equal(apply(&life, EVENT_STARTED, 4, NULL), 0);
    assert_int_equal(life.not_before_us, 0);
    assert_string_equal(life.reason, "");
    assert_int_equal(life.started_us, 100);
    assert_int_equal(apply(&life, EVENT_REQUEUED, 4, NULL), 0);
    assert_int_equal(life.failures, 2);
    assert_int_equal(life.attempt, 4);
}

static void the_outcome_follows_from_the_exit_and_what_was_asked(void **unused)
{
    (void)unused;
    static const struct {
        enum job_stop stop;
        int failures, retries;
        struct job_exit status;
        enum job_event_name outcome;
    } CASES[] = {
        {STOP_NONE, 0, 1, {.status = 0}, EVENT_SUCCEEDED},
        {STOP_NONE, 0, 1, {.status = 1}, EVENT_RETRIED},
        {STOP_NONE, 1, 1, {.status = 1}, EVENT_FAILED},
        {STOP_NONE, 0, 0, {.signal = 9}, EVENT_FAILED},
        {STOP_NONE, 0, 0, {.status = 75}, EVENT_REQUEUED},
        {STOP_NONE, 9, 0, {.interrupted = true}, EVENT_REQUEUED},
        {STOP_SHUTDOWN, 0, 0, {.status = 75}, EVENT_REQUEUED},
        {STOP_SHUTDOWN, 0, 0, {.signal = 9}, EVENT_REQUEUED},
        {STOP_SHUTDOWN, 0, 0, {.status = 0}, EVENT_SUCCEEDED},
        {STOP_CANCEL, 0, 5, {.status = 75}, EVENT_CANCELLED},
        {STOP_CANCEL, 0, 5, {.signal = 9}, EVENT_CANCELLED},
        {STOP_CANCEL, 0, 5, {.interrupted = true}, EVENT_CANCELLED},
        {STOP_CANCEL, 0, 5, {.status = 0}, EVENT_SUCCEEDED},
        {STOP_TIME_LIMIT, 0, 1, {.status = 75}, EVENT_RETRIED},
        {STOP_HANG, 0, 1, {.status = 75}, EVENT_RETRIED},
        {STOP_HANG, 1, 1, {.signal = 9}, EVENT_FAILED},
        {STOP_TIME_LIMIT, 1, 1, {.status = 75}, EVENT_FAILED},
        {STOP_TIME_LIMIT, 1, 1, {.interrupted = true}, EVENT_FAILED},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct job_life life = {.state = JOB_RUNNING, .stop = CASES[i].stop, .failures = CASES[i].failures};
        assert_int_equal(job_outcome(&life, CASES[i].retries, &CASES[i].status), CASES[i].outcome);
    }
}

static void reopening_forgets_the_end_and_the_failures(void **unused)
{
    (void)unused;
    struct job_life life = {.state = JOB_FAILED,
                            .attempt = 3,
                            .failures = 2,
                            .ended_us = 50,
                            .started_us = 40,
                            .not_before_us = 7,
                            .stop = STOP_TIME_LIMIT,
                            .priority = 5,
                            .reason = "no luck"};
    assert_int_equal(apply(&life, EVENT_REOPENED, 3, json_pack("{ss}", "reason", "once more")), 0);
    assert_int_equal(life.failures, 0);
    assert_int_equal(life.ended_us, 0);
    assert_int_equal(life.not_before_us, 0);
    assert_int_equal(life.stop, STOP_NONE);
    assert_int_equal(life.attempt, 3);
    assert_int_equal(life.priority, 5);
    assert_string_equal(life.reason, "once more");
}

static void priority_comes_with_the_submit_and_changes_by_event(void **unused)
{
    (void)unused;
    struct job_life life = {.state = JOB_NEW};
    assert_int_equal(apply(&life, EVENT_SUBMITTED, 0, json_pack("{si}", "priority", 7)), 0);
    assert_int_equal(life.priority, 7);
    assert_int_equal(apply(&life, EVENT_PRIORITY_SET, 0, json_pack("{si}", "priority", -2)), 0);
    assert_int_equal(life.priority, -2);
    assert_int_equal(life.state, JOB_WAITING);
}

static void the_pause_before_a_retry_doubles_up_to_an_hour(void **unused)
{
    (void)unused;
    static const double SECONDS[] = {0, 1, 2, 4, 8, 16, 32, 64, 128};
    for (int failures = 0; failures < 9; failures++)
        assert_true(job_retry_delay_s(1, failures) == SECONDS[failures]);
    assert_true(job_retry_delay_s(1, 1000000) == 3600);
    assert_true(job_retry_delay_s(0.5, 3) == 2);
    assert_true(job_retry_delay_s(7200, 4) == 7200);
    assert_true(job_retry_delay_s(0, 9) == 0);
}

static void names_round_trip(void **unused)
{
    (void)unused;
    for (int i = 0; i < JOB_STATE_MAX; i++)
        assert_int_equal(job_state_find(job_state_name((enum job_state)i)), i);
    for (int i = 0; i < EVENT_MAX; i++)
        assert_int_equal(job_event_find(job_event_text((enum job_event_name)i)), i);
    for (int i = 0; i < STOP_MAX; i++)
        assert_int_equal(job_stop_find(job_stop_name((enum job_stop)i)), i);
    assert_int_equal(job_state_find("sleeping"), JOB_STATE_MAX);
    assert_int_equal(job_event_find(""), EVENT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_answers_every_event_as_written_down),
        cmocka_unit_test(events_of_another_attempt_change_nothing),
        cmocka_unit_test(an_ended_job_has_its_end_time_once),
        cmocka_unit_test(a_stronger_wish_to_stop_replaces_a_weaker_only),
        cmocka_unit_test(a_retry_counts_and_a_requeue_does_not),
        cmocka_unit_test(the_outcome_follows_from_the_exit_and_what_was_asked),
        cmocka_unit_test(reopening_forgets_the_end_and_the_failures),
        cmocka_unit_test(priority_comes_with_the_submit_and_changes_by_event),
        cmocka_unit_test(the_pause_before_a_retry_doubles_up_to_an_hour),
        cmocka_unit_test(names_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
