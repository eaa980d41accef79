#include "common/rng.h"
#include "daemon/history.h"
#include "tests/unit/check.h"

#include <errno.h>

struct fixture {
    char *directory;
    struct store *store;
    struct queue *queue;
    struct history *history;
    int heard; /* events that the listener was told of */
};

static void listen(void *context, struct job *job, const struct job_event *event)
{
    struct fixture *fixture = context;
    fixture->heard++;
    assert_non_null(job);
    assert_int_equal(job->row->id, event->job);
}

static int keep(void *context, struct job_row **row)
{
    queue_add(context, TAKE(*row));
    return 0;
}

static void reopen(struct fixture *fixture)
{
    history_destroy(fixture->history);
    queue_destroy(fixture->queue);
    store_close(fixture->store);
    assert_int_equal(store_open(&fixture->store, fixture->directory, NULL), 0);
    fixture->queue = queue_create();
    fixture->history = history_create(fixture->store, fixture->queue, listen, fixture);
    assert_int_equal(store_each_job(fixture->store, STORE_LIVE, keep, fixture->queue, NULL), 0);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->directory = check_directory();
    reopen(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    history_destroy(fixture->history);
    queue_destroy(fixture->queue);
    store_close(fixture->store);
    free(fixture->directory);
    free(fixture);
    return 0;
}

static int64_t submit(struct fixture *fixture, bool hold, const int64_t *after, size_t count)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    const char *code;
    int64_t id;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer(after[i]));
    json_t *given = json_pack("{ss s{ss} s{sb} so}", "kind", "mock", "fields", "out", "/o", "options", "hold",
                              hold, "after", list);
    assert_int_equal(message_parse_job(given, NULL, 0, &row, &code, NULL), 0);
    json_decref(given);
    assert_int_equal(history_begin(fixture->history, NULL), 0);
    assert_int_equal(history_submit(fixture->history, &row, &id, NULL), 0);
    assert_int_equal(history_commit(fixture->history, NULL), 0);
    return id;
}

static enum job_state state_of(struct fixture *fixture, int64_t id)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    struct job *job = queue_find(fixture->queue, id);
    assert_int_equal(store_find_job(fixture->store, id, &row, NULL), 0);
    if (job) /* memory and disk agree */
        assert_memory_equal(&job->row->life, &row->life, sizeof row->life);
    return row->life.state;
}

static int apply(struct fixture *fixture, int64_t id, enum job_event_name name)
{
    return history_one(fixture->history, queue_find(fixture->queue, id), name, NULL, NULL);
}

static void a_job_without_dependencies_is_ready_at_once(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = submit(fixture, false, NULL, 0);
    assert_int_equal(state_of(fixture, id), JOB_READY);
    assert_int_equal(fixture->heard, 2);
}

static void a_job_is_ready_when_the_last_before_it_succeeded(void **state)
{
    struct fixture *fixture = *state;
    int64_t before[] = {submit(fixture, false, NULL, 0), submit(fixture, false, NULL, 0)};
    int64_t id = submit(fixture, false, before, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(state_of(fixture, id), JOB_WAITING);
        assert_int_equal(apply(fixture, before[i], EVENT_STARTED), 0);
        assert_int_equal(apply(fixture, before[i], EVENT_SUCCEEDED), 0);
    }
    assert_int_equal(state_of(fixture, id), JOB_READY);
}

static void a_failure_skips_all_that_come_after_it(void **state)
{
    struct fixture *fixture = *state;
    int64_t a = submit(fixture, false, NULL, 0), other = submit(fixture, false, NULL, 0);
    int64_t b = submit(fixture, false, &a, 1), held = submit(fixture, true, &a, 1);
    int64_t c = submit(fixture, false, (const int64_t[]){b, other}, 2);
    assert_int_equal(apply(fixture, a, EVENT_STARTED), 0);
    assert_int_equal(apply(fixture, a, EVENT_FAILED), 0);
    assert_int_equal(state_of(fixture, a), JOB_FAILED);
    assert_int_equal(state_of(fixture, b), JOB_SKIPPED);
    assert_int_equal(state_of(fixture, held), JOB_SKIPPED);
    assert_int_equal(state_of(fixture, c), JOB_SKIPPED);
    assert_int_equal(state_of(fixture, other), JOB_READY);
    assert_int_equal(state_of(fixture, submit(fixture, false, &c, 1)), JOB_SKIPPED);
}

static void a_held_job_waits_for_its_release_and_its_dependencies(void **state)
{
    struct fixture *fixture = *state;
    int64_t a = submit(fixture, false, NULL, 0), b = submit(fixture, true, &a, 1),
            c = submit(fixture, true, NULL, 0);
    assert_int_equal(state_of(fixture, b), JOB_HELD);
    assert_int_equal(apply(fixture, b, EVENT_RELEASED), 0);
    assert_int_equal(state_of(fixture, b), JOB_WAITING);
    assert_int_equal(apply(fixture, c, EVENT_RELEASED), 0);
    assert_int_equal(state_of(fixture, c), JOB_READY);
    assert_int_equal(apply(fixture, a, EVENT_STARTED), 0);
    assert_int_equal(apply(fixture, a, EVENT_SUCCEEDED), 0);
    assert_int_equal(state_of(fixture, b), JOB_READY);
}

static void an_aborted_change_is_neither_in_memory_nor_on_disk_nor_heard_of(void **state)
{
    struct fixture *fixture = *state;
    int64_t a = submit(fixture, false, NULL, 0), b = submit(fixture, false, &a, 1);
    int heard = fixture->heard;
    assert_int_equal(history_begin(fixture->history, NULL), 0);
    assert_int_equal(
        history_add(fixture->history, queue_find(fixture->queue, a), EVENT_CANCELLED, NULL, NULL), 0);
    history_abort(fixture->history);
    assert_int_equal(state_of(fixture, a), JOB_READY);
    assert_int_equal(state_of(fixture, b), JOB_WAITING);
    assert_int_equal(fixture->heard, heard);
}

static void a_forbidden_event_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    int64_t a = submit(fixture, false, NULL, 0);
    assert_int_equal(apply(fixture, a, EVENT_SUCCEEDED), -EINVAL);
    assert_int_equal(apply(fixture, a, EVENT_RELEASED), -EINVAL);
    assert_int_equal(state_of(fixture, a), JOB_READY);
}

struct replay {
    struct job_life life;
    json_t *result;
};

static int replay_event(void *context, const struct job_event *event)
{
    struct replay *replay = context;
    struct err err = {0};
    if (job_apply(&replay->life, event, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(replay->life.state, event->state);
    if (event->name == EVENT_SUCCEEDED)
        replay->result = json_incref(json_object_get(event->context, "result"));
    return 0;
}

static int check_replay(void *context, struct job_row **row)
{
    struct replay replay = {0};
    assert_int_equal(store_each_event(context, (*row)->id, 0, 100000, replay_event, &replay, NULL), 0);
    assert_memory_equal(&replay.life, &(*row)->life, sizeof replay.life);
    assert_true(replay.result == (*row)->result || json_equal(replay.result, (*row)->result));
    json_decref(replay.result);
    return 0;
}

static void random_event(struct fixture *fixture, struct rng *rng, int64_t last)
{
    struct job *job = queue_find(fixture->queue, 1 + (int64_t)rng_below(rng, (uint64_t)last));
    enum job_event_name name = EVENT_HELD + (enum job_event_name)rng_below(rng, EVENT_MAX - EVENT_HELD);
    if (!job)
        return;
    json_t *context = json_pack("{ss ss sI}", "reason", "it was so", "stop",
                                job_stop_name((enum job_stop)rng_below(rng, STOP_MAX)), "not_before_us",
                                (json_int_t)rng_below(rng, 1000));
    int code;
    if (name == EVENT_SUCCEEDED && job->row->life.state == JOB_RUNNING) {
        assert_int_equal(history_begin(fixture->history, NULL), 0);
        assert_int_equal(history_succeed(fixture->history, job, context, NULL), 0);
        code = history_commit(fixture->history, NULL);
    } else {
        code = history_one(fixture->history, job, name, context, NULL);
    }
    assert_true(code == 0 || code == -EINVAL);
}

static void replaying_the_events_gives_the_rows_whatever_happened(void **state)
{
    struct fixture *fixture = *state;
    struct rng rng;
    int64_t last = 0;
    rng_init(&rng, 4, 1, 0);
    for (int step = 0; step < 3000; step++) {
        if (step % 30 == 0) {
            int64_t after[] = {last, last / 2};
            last = submit(fixture, rng_below(&rng, 4) == 0, after, last > 2 ? rng_below(&rng, 3) : 0);
        }
        random_event(fixture, &rng, last);
        if (step % 500 == 0)
            queue_forget_ended(fixture->queue);
    }
    assert_int_equal(last, 100);
    assert_int_equal(store_each_job(fixture->store, STORE_ALL, check_replay, fixture->store, NULL), 0);
}

static void the_queue_after_a_restart_is_the_queue_before_it(void **state)
{
    struct fixture *fixture = *state;
    int64_t a = submit(fixture, false, NULL, 0), b = submit(fixture, false, &a, 1),
            c = submit(fixture, true, NULL, 0);
    assert_int_equal(apply(fixture, a, EVENT_STARTED), 0);
    struct job_life lives[3];
    for (int i = 0; i < 3; i++)
        lives[i] = queue_at(fixture->queue, (size_t)i)->row->life;
    reopen(fixture);
    for (int i = 0; i < 3; i++)
        assert_memory_equal(&queue_at(fixture->queue, (size_t)i)->row->life, &lives[i], sizeof *lives);
    assert_int_equal(queue_at(fixture->queue, 1)->row->id, b);
    assert_int_equal(queue_at(fixture->queue, 2)->row->id, c);
    assert_int_equal(apply(fixture, a, EVENT_REQUEUED), 0);
    assert_int_equal(state_of(fixture, a), JOB_READY);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_job_without_dependencies_is_ready_at_once),
        CASE(a_job_is_ready_when_the_last_before_it_succeeded),
        CASE(a_failure_skips_all_that_come_after_it),
        CASE(a_held_job_waits_for_its_release_and_its_dependencies),
        CASE(an_aborted_change_is_neither_in_memory_nor_on_disk_nor_heard_of),
        CASE(a_forbidden_event_changes_nothing),
        CASE(replaying_the_events_gives_the_rows_whatever_happened),
        CASE(the_queue_after_a_restart_is_the_queue_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
