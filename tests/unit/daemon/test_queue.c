#include "daemon/queue.h"
#include "daemon/slots.h"
#include "tests/unit/check.h"

#include <errno.h>

static struct host FOUR = {.name = "h", .total = 4}, FIVE = {.name = "h", .total = 5};
static const struct slots SLOTS_4 = {.hosts = &FOUR, .count = 1, .total = 4}, SLOTS_5 = {.hosts = &FIVE, .count = 1, .total = 5};

static struct job *add(struct queue *queue, int64_t id, int priority, enum job_state state)
{
    struct job_row *row = calloc(1, sizeof *row);
    row->id = id;
    row->life.priority = priority;
    row->ranks = row->threads = 1;
    row->life.state = state;
    return queue_add(queue, row);
}

static void priority_comes_before_order_of_submission(void **unused)
{
    (void)unused;
    struct queue *queue = queue_create();
    int64_t wake_us;
    static const struct {
        int64_t id;
        int priority;
    } JOBS[] = {{1, 0}, {2, 5}, {3, 0}, {4, 5}, {5, -1}};
    static const int64_t ORDER[] = {2, 4, 1, 3, 5};
    for (size_t i = 0; i < 5; i++)
        add(queue, JOBS[i].id, JOBS[i].priority, JOB_READY);
    for (size_t i = 0; i < 5; i++) {
        struct job *next = queue_next(queue, &SLOTS_4, 0, &wake_us);
        assert_int_equal(next->row->id, ORDER[i]);
        next->row->life.state = JOB_RUNNING;
        queue_changed(queue, next);
    }
    assert_null(queue_next(queue, &SLOTS_4, 0, &wake_us));
    assert_int_equal(wake_us, 0);
    queue_destroy(queue);
}

static void only_ready_jobs_whose_time_has_come_are_next(void **unused)
{
    (void)unused;
    struct queue *queue = queue_create();
    int64_t wake_us;
    add(queue, 1, 0, JOB_WAITING);
    add(queue, 2, 0, JOB_HELD);
    add(queue, 3, 9, JOB_READY)->row->life.not_before_us = 700;
    add(queue, 4, 9, JOB_READY)->row->life.not_before_us = 500;
    assert_null(queue_next(queue, &SLOTS_4, 499, &wake_us));
    assert_int_equal(wake_us, 500);
    assert_int_equal(queue_next(queue, &SLOTS_4, 500, &wake_us)->row->id, 4);
    assert_int_equal(wake_us, 700);
    queue_destroy(queue);
}

static void a_job_too_big_for_this_daemon_does_not_block_the_others(void **unused)
{
    (void)unused;
    struct queue *queue = queue_create();
    int64_t wake_us;
    add(queue, 1, 9, JOB_READY)->row->ranks = 5;
    add(queue, 2, 0, JOB_READY)->row->ranks = 4;
    assert_int_equal(queue_next(queue, &SLOTS_4, 0, &wake_us)->row->id, 2);
    assert_int_equal(queue_next(queue, &SLOTS_5, 0, &wake_us)->row->id, 1);
    queue_destroy(queue);
}

static void jobs_are_found_until_they_have_ended_and_are_forgotten(void **unused)
{
    (void)unused;
    struct queue *queue = queue_create();
    for (int64_t id = 1; id <= 200; id += 2)
        add(queue, id, 0, id % 3 ? JOB_READY : JOB_FAILED);
    assert_non_null(queue_find(queue, 3));
    assert_null(queue_find(queue, 4));
    queue_forget_ended(queue);
    for (int64_t id = 0; id <= 201; id++) {
        struct job *job = queue_find(queue, id);
        assert_int_equal(job != NULL, id < 200 && id % 2 && id % 3);
        assert_true(!job || job->row->id == id);
    }
    queue_destroy(queue);
}

static void a_job_that_comes_back_takes_its_old_place(void **unused)
{
    (void)unused;
    struct queue *queue = queue_create();
    static const int64_t IDS[] = {2, 9, 5, 1, 7}, ORDER[] = {1, 2, 5, 7, 9};
    for (size_t i = 0; i < 5; i++)
        add(queue, IDS[i], 0, JOB_READY);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(queue_at(queue, i)->row->id, ORDER[i]);
        assert_ptr_equal(queue_find(queue, ORDER[i]), queue_at(queue, i));
    }
    assert_null(queue_find(queue, 6));
    queue_destroy(queue);
}

static void a_job_with_another_priority_has_another_turn(void **unused)
{
    (void)unused;
    struct queue *queue = queue_create();
    int64_t wake_us;
    for (int64_t id = 1; id <= 9; id++)
        add(queue, id, 0, JOB_READY);
    struct job *late = queue_find(queue, 8), *early = queue_find(queue, 1);
    late->row->life.priority = 3;
    queue_changed(queue, late);
    assert_ptr_equal(queue_next(queue, &SLOTS_4, 0, &wake_us), late);
    late->row->life.state = JOB_CANCELLED;
    queue_changed(queue, late);
    early->row->life.priority = -1;
    queue_changed(queue, early);
    for (int64_t id = 2; id <= 7; id++) {
        struct job *next = queue_next(queue, &SLOTS_4, 0, &wake_us);
        assert_int_equal(next->row->id, id);
        next->row->life.state = JOB_SUCCEEDED;
        queue_changed(queue, next);
    }
    assert_int_equal(queue_next(queue, &SLOTS_4, 0, &wake_us)->row->id, 9);
    early->row->life.state = JOB_READY; /* it ended and was reopened */
    queue_forget_ended(queue);
    assert_ptr_equal(queue_at(queue, 0), early);
    assert_int_equal(queue_at(queue, 1)->row->id, 9);
    assert_null(queue_at(queue, 2));
    queue_destroy(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(priority_comes_before_order_of_submission),
        cmocka_unit_test(only_ready_jobs_whose_time_has_come_are_next),
        cmocka_unit_test(a_job_too_big_for_this_daemon_does_not_block_the_others),
        cmocka_unit_test(jobs_are_found_until_they_have_ended_and_are_forgotten),
        cmocka_unit_test(a_job_that_comes_back_takes_its_old_place),
        cmocka_unit_test(a_job_with_another_priority_has_another_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
