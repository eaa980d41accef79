#include "common/rng.h"
#include "daemon/history.h"
#include "daemon/slots.h"
#include "tests/unit/check.h"

#include <errno.h>

struct fixture {
    char *directory;
    struct store *store;
    struct queue *queue;
    struct history *history;
    int heard; /* events that the listener was told of */
    int reopened;
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
    assert_int_equal(store_open(&fixture->store, fixture->directory, NULL, NULL), 0);
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

static int reopen_jobs(struct fixture *fixture, const int64_t *ids, size_t count, struct err *err)
{
    int code = history_begin(fixture->history, err);
    for (size_t i = 0; !code && i < count; i++)
        code = history_reopen(fixture->history, ids[i], json_pack("{ss}", "reason", "again"), err);
    if (!code)
        code = history_settle(fixture->history, ids, count, err);
    if (!code)
        return history_commit(fixture->history, err);
    history_abort(fixture->history);
    return code;
}

static void finish(struct fixture *fixture, int64_t id, enum job_event_name end)
{
    assert_int_equal(apply(fixture, id, EVENT_STARTED), 0);
    assert_int_equal(apply(fixture, id, end), 0);
}

static void another_go_takes_along_what_was_skipped_for_it(void **state)
{
    struct fixture *fixture = *state;
    int64_t a = submit(fixture, false, NULL, 0), b = submit(fixture, false, &a, 1);
    int64_t c = submit(fixture, false, &b, 1), other = submit(fixture, false, NULL, 0);
    int64_t both = submit(fixture, false, (const int64_t[]){a, other}, 2);
    finish(fixture, other, EVENT_FAILED);
    finish(fixture, a, EVENT_FAILED);
    queue_forget_ended(fixture->queue);
    assert_int_equal(reopen_jobs(fixture, &a, 1, NULL), 0);
    assert_int_equal(state_of(fixture, a), JOB_READY);
    assert_int_equal(state_of(fixture, b), JOB_WAITING);
    assert_int_equal(state_of(fixture, c), JOB_WAITING);
    assert_int_equal(state_of(fixture, both), JOB_SKIPPED); /* for the other one */
    assert_int_equal(reopen_jobs(fixture, &other, 1, NULL), 0);
    assert_int_equal(state_of(fixture, both), JOB_WAITING);
    finish(fixture, a, EVENT_SUCCEEDED);
    finish(fixture, b, EVENT_SUCCEEDED);
    finish(fixture, other, EVENT_SUCCEEDED);
    assert_int_equal(state_of(fixture, c), JOB_READY);
    assert_int_equal(state_of(fixture, both), JOB_READY);
    assert_int_equal(queue_find(fixture->queue, c)->row->life.attempt, 0);
}

static void another_go_is_refused_where_it_could_not_start_or_would_disturb(void **state)
{
    struct fixture *fixture = *state;
    struct err err = {0};
    int64_t a = submit(fixture, false, NULL, 0), b = submit(fixture, false, &a, 1);
    assert_int_equal(reopen_jobs(fixture, &a, 1, &err), -EBUSY);
    assert_contains(err.text, "has not ended");
    finish(fixture, a, EVENT_FAILED);
    assert_int_equal(reopen_jobs(fixture, &b, 1, &err), -EBUSY);
    assert_contains(err.text, "job 1, which it comes after, did not succeed");
    assert_int_equal(state_of(fixture, b), JOB_SKIPPED);
    assert_int_equal(reopen_jobs(fixture, (const int64_t[]){b, a}, 2, &err), 0); /* in any order */
    finish(fixture, a, EVENT_SUCCEEDED);
    assert_int_equal(apply(fixture, b, EVENT_STARTED), 0);
    assert_int_equal(reopen_jobs(fixture, &a, 1, &err), -EBUSY);
    assert_contains(err.text, "job 2, which comes after job 1, is running");
    assert_int_equal(state_of(fixture, a), JOB_SUCCEEDED);
    assert_int_equal(reopen_jobs(fixture, (const int64_t[]){99}, 1, &err), -ENOENT);
}

static void a_result_is_void_once_its_job_is_done_again(void **state)
{
    struct fixture *fixture = *state;
    int64_t a = submit(fixture, false, NULL, 0);
    assert_int_equal(apply(fixture, a, EVENT_STARTED), 0);
    assert_int_equal(history_begin(fixture->history, NULL), 0);
    assert_int_equal(
        history_succeed(fixture->history, queue_find(fixture->queue, a), json_pack("{si}", "auc", 1), NULL),
        0);
    assert_int_equal(history_commit(fixture->history, NULL), 0);
    assert_int_equal(reopen_jobs(fixture, &a, 1, NULL), 0);
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    assert_int_equal(store_find_job(fixture->store, a, &row, NULL), 0);
    assert_null(row->result);
    assert_null(queue_find(fixture->queue, a)->row->result);
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
    if (event->name == EVENT_REOPENED) {
        json_decref(replay->result);
        replay->result = NULL;
    }
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

/* One job in a hundred, so that histories come to an end now and then. */
static void reopen_one(struct fixture *fixture, struct rng *rng, int64_t last)
{
    int64_t id = 1 + (int64_t)rng_below(rng, (uint64_t)last);
    int code = rng_below(rng, 8) ? 0 : reopen_jobs(fixture, &id, 1, NULL);
    assert_true(code == 0 || code == -EBUSY);
    fixture->reopened += !code;
}

static void random_event(struct fixture *fixture, struct rng *rng, int64_t last)
{
    struct job *job = queue_find(fixture->queue, 1 + (int64_t)rng_below(rng, (uint64_t)last));
    enum job_event_name name = EVENT_HELD + (enum job_event_name)rng_below(rng, EVENT_MAX - EVENT_HELD);
    if (!job) {
        reopen_one(fixture, rng, last);
        return;
    }
    json_t *context = json_pack("{ss ss sI sI}", "reason", "it was so", "stop",
                                job_stop_name((enum job_stop)rng_below(rng, STOP_MAX)), "not_before_us",
                                (json_int_t)rng_below(rng, 1000), "priority", (json_int_t)rng_below(rng, 9));
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

static int add_up(void *context, struct job_row **row)
{
    ((int64_t *)context)[(*row)->life.state]++;
    return 0;
}

/* The counts of states are kept, not made anew, and so is the order of the ready jobs: both are as they would be made. */
static void check_kept(struct fixture *fixture)
{
    int64_t kept[JOB_STATE_MAX], made[JOB_STATE_MAX] = {0}, wake_us;
    struct host host = {.name = "h", .total = 1000};
    struct slots slots = {.hosts = &host, .count = 1, .total = 1000};
    const struct job *first = NULL, *job;
    assert_int_equal(store_count_states(fixture->store, kept, NULL), 0);
    assert_int_equal(store_each_job(fixture->store, STORE_ALL, add_up, made, NULL), 0);
    assert_memory_equal(kept, made, sizeof kept);
    for (size_t i = 0; (job = queue_at(fixture->queue, i)); i++) {
        bool ready = job->row->life.state == JOB_READY;
        if (ready && (!first || job->row->life.priority > first->row->life.priority))
            first = job;
    }
    assert_ptr_equal(queue_next(fixture->queue, &slots, INT64_MAX, &wake_us), first);
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
        check_kept(fixture);
        if (step % 500 == 0)
            queue_forget_ended(fixture->queue);
    }
    assert_int_equal(last, 100);
    assert_true(fixture->reopened > 10);
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
        CASE(another_go_takes_along_what_was_skipped_for_it),
        CASE(another_go_is_refused_where_it_could_not_start_or_would_disturb),
        CASE(a_result_is_void_once_its_job_is_done_again),
        CASE(an_aborted_change_is_neither_in_memory_nor_on_disk_nor_heard_of),
        CASE(a_forbidden_event_changes_nothing),
        CASE(replaying_the_events_gives_the_rows_whatever_happened),
        CASE(the_queue_after_a_restart_is_the_queue_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
