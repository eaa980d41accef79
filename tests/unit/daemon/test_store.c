#include "common/file.h"
#include "common/path.h"
#include "daemon/store.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <sys/wait.h>

static struct job_row *make_row(const char *key, const int64_t *after, size_t count)
{
    struct job_row *row = NULL;
    const char *code;
    json_t *given = json_pack("{ss s{ss} ss?}", "kind", "mock", "fields", "out", "/o", "key", key);
    assert_int_equal(message_parse_job(given, NULL, 0, &row, &code, NULL), 0);
    json_decref(given);
    row->life.state = JOB_WAITING;
    row->life.submitted_us = 17;
    free(row->after);
    row->after = calloc(count + 1, sizeof *row->after);
    row->after_count = count;
    for (size_t i = 0; i < count; i++)
        row->after[i] = (struct job_after){after[i], false};
    return row;
}

static struct store *open_in(const char *directory)
{
    struct store *store = NULL;
    struct err err = {0};
    if (store_open(&store, directory, NULL, &err) != 0)
        fail_msg("%s", err.text);
    return store;
}

static int64_t add(struct store *store, const char *key, const int64_t *after, size_t count)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = make_row(key, after, count);
    struct err err = {0};
    assert_int_equal(store_begin(store, &err), 0);
    if (store_add_job(store, row, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(store_commit(store, &err), 0);
    return row->id;
}

static void move(struct store *store, int64_t id, enum job_state state)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    assert_int_equal(store_find_job(store, id, &row, NULL), 0);
    struct job_life before = row->life;
    row->life.state = state;
    row->life.ended_us = job_ended(state) ? 99 : 0;
    assert_int_equal(store_update_job(store, row, &before, NULL), 0);
}

static void a_job_comes_back_as_it_was_after_a_restart(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct store *store = open_in(directory);
    int64_t first = add(store, NULL, NULL, 0), second = add(store, "key", &first, 1);
    store_close(store);
    store = open_in(directory);
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    assert_int_equal(store_find_job(store, second, &row, NULL), 0);
    assert_string_equal(row->kind, "mock");
    assert_string_equal(row->out, "/o");
    assert_int_equal(row->life.state, JOB_WAITING);
    assert_int_equal(row->life.submitted_us, 17);
    assert_int_equal(row->after_count, 1);
    assert_int_equal(row->after[0].id, first);
    assert_int_equal(store_load_spec(store, row, NULL), 0);
    assert_int_equal(json_integer_value(json_object_get(row->fields, "bricks")), 12);
    CLEANUP(job_row_destroy_ptr) struct job_row *none = NULL;
    assert_int_equal(store_find_job(store, 999, &none, NULL), -ENOENT);
    store_close(store);
}

static void what_was_not_committed_is_not_there(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct store *store = open_in(directory);
    CLEANUP(job_row_destroy_ptr) struct job_row *row = make_row(NULL, NULL, 0), *found = NULL;
    assert_int_equal(store_begin(store, NULL), 0);
    assert_int_equal(store_add_job(store, row, NULL), 0);
    assert_int_equal(store_find_job(store, row->id, &found, NULL), 0);
    store_rollback(store);
    CLEANUP(job_row_destroy_ptr) struct job_row *again = NULL;
    assert_int_equal(store_find_job(store, row->id, &again, NULL), -ENOENT);
    store_close(store);
}

static void ids_never_come_back(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct store *store = open_in(directory);
    int64_t last = 0;
    for (int i = 0; i < 5; i++) {
        int64_t id = add(store, NULL, NULL, 0);
        assert_true(id > last);
        last = id;
        store_close(store);
        store = open_in(directory);
    }
    store_close(store);
}

static void an_update_of_a_state_that_is_past_changes_nothing(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct store *store = open_in(directory);
    int64_t id = add(store, NULL, NULL, 0);
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL, *now = NULL;
    assert_int_equal(store_find_job(store, id, &row, NULL), 0);
    struct job_life ready = row->life, other_attempt = row->life;
    ready.state = JOB_READY;
    other_attempt.attempt = 4;
    row->life.state = JOB_CANCELLED;
    assert_int_equal(store_update_job(store, row, &ready, NULL), -ESTALE);
    assert_int_equal(store_update_job(store, row, &other_attempt, NULL), -ESTALE);
    assert_int_equal(store_find_job(store, id, &now, NULL), 0);
    assert_int_equal(now->life.state, JOB_WAITING);
    store_close(store);
}

static void a_key_is_found_with_its_body(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct store *store = open_in(directory);
    CLEANUP(job_row_destroy_ptr) struct job_row *row = make_row("abc", NULL, 0);
    int64_t added = add(store, "abc", NULL, 0), id;
    bool same;
    assert_int_equal(store_find_key(store, "abc", row->body, &id, &same, NULL), 0);
    assert_int_equal(id, added);
    assert_true(same);
    assert_int_equal(store_find_key(store, "abc", "other", &id, &same, NULL), 0);
    assert_false(same);
    assert_int_equal(store_find_key(store, "abd", row->body, &id, &same, NULL), 0);
    assert_int_equal(id, 0);
    store_close(store);
}

static void two_jobs_of_one_key_cannot_be_stored(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct store *store = open_in(directory);
    add(store, "abc", NULL, 0);
    CLEANUP(job_row_destroy_ptr) struct job_row *row = make_row("abc", NULL, 0);
    assert_int_equal(store_begin(store, NULL), 0);
    assert_true(store_add_job(store, row, NULL) < 0);
    store_rollback(store);
    store_close(store);
}

static void a_job_cannot_come_after_itself_or_a_later_one(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct store *store = open_in(directory);
    int64_t first = add(store, NULL, NULL, 0);
    const int64_t later[] = {first + 1, first + 2};
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(job_row_destroy_ptr) struct job_row *row = make_row(NULL, &later[i], 1);
        assert_int_equal(store_begin(store, NULL), 0);
        assert_true(store_add_job(store, row, NULL) < 0);
        store_rollback(store);
    }
    store_close(store);
}

static void dependencies_are_counted_by_how_they_ended(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct store *store = open_in(directory);
    int64_t before[3];
    for (int i = 0; i < 3; i++)
        before[i] = add(store, NULL, NULL, 0);
    int64_t job = add(store, NULL, before, 3);
    int64_t broken;
    int unmet;
    move(store, before[0], JOB_SUCCEEDED);
    assert_int_equal(store_dependencies(store, job, &unmet, &broken, NULL), 0);
    assert_int_equal(unmet, 2);
    assert_int_equal(broken, 0);
    move(store, before[1], JOB_SKIPPED);
    move(store, before[2], JOB_CANCELLED);
    assert_int_equal(store_dependencies(store, job, &unmet, &broken, NULL), 0);
    assert_int_equal(unmet, 0);
    assert_int_equal(broken, before[1]);
    CLEANUP(free_ptr) int64_t *ids = NULL;
    size_t count;
    assert_int_equal(store_dependants(store, before[1], &ids, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(ids[0], job);
    store_close(store);
}

static void any_end_satisfies_a_dependency_that_asks_for_no_more(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct store *store = open_in(directory);
    int64_t before = add(store, NULL, NULL, 0), broken;
    CLEANUP(job_row_destroy_ptr) struct job_row *row = make_row(NULL, &before, 1), *found = NULL;
    int unmet;
    row->after[0].any = true;
    assert_int_equal(store_add_job(store, row, NULL), 0);
    assert_int_equal(store_dependencies(store, row->id, &unmet, &broken, NULL), 0);
    assert_int_equal(unmet, 1);
    move(store, before, JOB_FAILED);
    assert_int_equal(store_dependencies(store, row->id, &unmet, &broken, NULL), 0);
    assert_int_equal(unmet, 0);
    assert_int_equal(broken, 0);
    assert_int_equal(store_find_job(store, row->id, &found, NULL), 0);
    assert_true(found->after[0].any);
    store_close(store);
}

static void an_ended_job_is_forgotten_whole_and_a_live_one_not(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct store *store = open_in(directory);
    int64_t old = add(store, "k", NULL, 0), needed = add(store, NULL, NULL, 0);
    int64_t later = add(store, NULL, &needed, 1), same = 0;
    move(store, old, JOB_FAILED);
    move(store, needed, JOB_SUCCEEDED);
    struct job_event event = {.job = old, .name = EVENT_SUBMITTED, .state = JOB_WAITING};
    assert_int_equal(store_add_event(store, &event, NULL), 0);
    CLEANUP(free_ptr) int64_t *ids = NULL;
    size_t count;
    assert_int_equal(store_old_jobs(store, 99, 10, &ids, &count, NULL), 0);
    assert_int_equal(count, 0);
    assert_int_equal(store_old_jobs(store, 100, 10, &ids, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(ids[0], old);
    assert_int_equal(store_forget_job(store, old, NULL), 0);
    assert_int_equal(store_forget_job(store, later, NULL), -ESTALE);
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    assert_int_equal(store_find_job(store, old, &row, NULL), -ENOENT);
    bool equal;
    assert_int_equal(store_find_key(store, "k", "", &same, &equal, NULL), 0);
    assert_int_equal(same, 0);
    int64_t last;
    assert_int_equal(store_last_seq(store, &last, NULL), 0);
    assert_int_equal(last, event.seq);
    store_close(store);
}

static void settings_are_kept_and_replaced(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct store *store = open_in(directory);
    char *value;
    assert_int_equal(store_setting(store, "drained", &value, NULL), 0);
    assert_null(value);
    assert_int_equal(store_set(store, "drained", "disk", NULL), 0);
    assert_int_equal(store_set(store, "drained", "tape", NULL), 0);
    store_close(store);
    store = open_in(directory);
    assert_int_equal(store_setting(store, "drained", &value, NULL), 0);
    assert_string_equal(value, "tape");
    free(value);
    assert_int_equal(store_set(store, "drained", NULL, NULL), 0);
    assert_int_equal(store_setting(store, "drained", &value, NULL), 0);
    assert_null(value);
    store_close(store);
}

static void an_attempt_ends_once(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct store *store = open_in(directory);
    struct attempt attempt = {.job = add(store, NULL, NULL, 0),
                              .attempt = 1,
                              .token = "t",
                              .started_us = 5,
                              .pid = 42,
                              .start_ticks = 43,
                              .boot_id = "b"};
    struct attempt found;
    assert_int_equal(store_add_attempt(store, &attempt, NULL), 0);
    attempt.ended_us = 9;
    attempt.exit_status = 3;
    strcpy(attempt.outcome, "failed");
    assert_int_equal(store_end_attempt(store, &attempt, NULL), 0);
    assert_int_equal(store_end_attempt(store, &attempt, NULL), -ESTALE);
    assert_int_equal(store_find_attempt(store, attempt.job, 1, &found, NULL), 0);
    assert_memory_equal(&found.pid, &attempt.pid, sizeof found.pid);
    assert_string_equal(found.outcome, "failed");
    assert_int_equal(found.exit_status, 3);
    assert_int_equal(store_find_attempt(store, attempt.job, 2, &found, NULL), -ENOENT);
    store_close(store);
}

static int count_event(void *context, const struct job_event *event)
{
    int64_t *last = context;
    assert_true(event->seq > *last);
    *last = event->seq;
    return 0;
}

static void events_are_numbered_without_gaps_even_after_a_rollback(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct store *store = open_in(directory);
    struct job_event event = {
        .job = add(store, NULL, NULL, 0), .name = EVENT_SUBMITTED, .state = JOB_WAITING};
    for (int64_t i = 1; i <= 6; i++) {
        assert_int_equal(store_begin(store, NULL), 0);
        assert_int_equal(store_add_event(store, &event, NULL), 0);
        store_rollback(store);
        assert_int_equal(store_begin(store, NULL), 0);
        assert_int_equal(store_add_event(store, &event, NULL), 0);
        assert_int_equal(store_commit(store, NULL), 0);
        assert_int_equal(event.seq, i);
    }
    int64_t last = 2;
    assert_int_equal(store_each_event(store, event.job, 2, 3, count_event, &last, NULL), 0);
    assert_int_equal(last, 5);
    assert_int_equal(store_last_seq(store, &last, NULL), 0);
    assert_int_equal(last, 6);
    store_close(store);
}

static void a_second_process_is_kept_out(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct store *store = open_in(directory);
    add(store, NULL, NULL, 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct store *other = NULL;
        _exit(store_open(&other, directory, NULL, NULL) < 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    store_close(store);
}

static void files_that_are_no_queue_are_refused_by_name(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = path_join(directory, "queue.db");
    char garbage[4096];
    struct store *store = NULL;
    struct err err = {0};
    memset(garbage, 'x', sizeof garbage);
    assert_int_equal(file_publish(path, garbage, sizeof garbage, NULL), 0);
    assert_true(store_open(&store, directory, NULL, &err) < 0);
    assert_contains(err.text, "queue.db");
    assert_true(store_open(&store, "/nonexistent", NULL, &err) < 0);
    assert_contains(err.text, "/nonexistent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_comes_back_as_it_was_after_a_restart),
        cmocka_unit_test(what_was_not_committed_is_not_there),
        cmocka_unit_test(ids_never_come_back),
        cmocka_unit_test(an_update_of_a_state_that_is_past_changes_nothing),
        cmocka_unit_test(a_key_is_found_with_its_body),
        cmocka_unit_test(two_jobs_of_one_key_cannot_be_stored),
        cmocka_unit_test(a_job_cannot_come_after_itself_or_a_later_one),
        cmocka_unit_test(dependencies_are_counted_by_how_they_ended),
        cmocka_unit_test(any_end_satisfies_a_dependency_that_asks_for_no_more),
        cmocka_unit_test(an_ended_job_is_forgotten_whole_and_a_live_one_not),
        cmocka_unit_test(settings_are_kept_and_replaced),
        cmocka_unit_test(an_attempt_ends_once),
        cmocka_unit_test(events_are_numbered_without_gaps_even_after_a_rollback),
        cmocka_unit_test(a_second_process_is_kept_out),
        cmocka_unit_test(files_that_are_no_queue_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
