#include "proto/message.h"
#include "tests/unit/check.h"

#include <errno.h>

static const int64_t EARLIER[] = {11, 12};

static int parse(const char *json, struct job_row **row, const char **code, struct err *err)
{
    json_t *job = json_loads(json, JSON_DECODE_ANY, NULL);
    assert_non_null(job);
    int status = message_parse_job(job, EARLIER, 2, row, code, err);
    json_decref(job);
    return status;
}

static struct job_row *good(const char *json)
{
    struct job_row *row = NULL;
    const char *code;
    struct err err = {0};
    if (parse(json, &row, &code, &err) != 0)
        fail_msg("%s", err.text);
    return row;
}

static void a_job_is_resolved_with_its_options(void **unused)
{
    (void)unused;
    CLEANUP(job_row_destroy_ptr)
    struct job_row *row =
        good("{\"kind\":\"mock\",\"fields\":{\"out\":\"/"
             "o\"},\"options\":{\"name\":\"n\",\"ranks\":2,\"threads\":3,"
             "\"priority\":-4,\"retries\":5,\"backoff\":\"30s\",\"time_limit\":\"2m\",\"hold\":true,"
             "\"tag\":\"elg,night\"},\"group\":"
             "\"g\",\"key\":\"k\",\"after\":[7,\"#1\",7,\"#0\"],\"after_any\":[7,9],\"array\":\"#0\"}");
    assert_string_equal(row->kind, "mock");
    assert_string_equal(row->name, "n");
    assert_string_equal(row->group, "g");
    assert_string_equal(row->out, "/o");
    assert_int_equal(row->ranks, 2);
    assert_int_equal(row->threads, 3);
    assert_int_equal(row->life.priority, -4);
    assert_int_equal(row->retries, 5);
    assert_near(row->time_limit_s, 120, 0);
    assert_true(row->hold);
    assert_int_equal(json_integer_value(json_object_get(row->fields, "bricks")), 12);
    assert_near(row->backoff_s, 30, 0);
    assert_string_equal(row->tag, "elg,night");
    assert_int_equal(row->array, 11);
    static const struct job_after AFTER[] = {{7, false}, {12, false}, {11, false}, {9, true}};
    assert_int_equal(row->after_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(row->after[i].id, AFTER[i].id);
        assert_int_equal(row->after[i].any, AFTER[i].any);
    }
}

static void a_bad_job_is_refused_with_code_and_sentence(void **unused)
{
    (void)unused;
    static const struct {
        const char *json, *code, *part;
    } CASES[] = {
        {"7", "bad_request", "must be an object"},
        {"{}", "bad_spec", "needs a kind"},
        {"{\"kind\":5}", "bad_spec", "needs a kind"},
        {"{\"kind\":\"trian\",\"fields\":{}}", "bad_spec", "did you mean train"},
        {"{\"kind\":\"mock\"}", "bad_spec", "mock needs out"},
        {"{\"kind\":\"mock\",\"fields\":[]}", "bad_spec", "must be an object"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"o\"}}", "bad_spec", "absolute"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"options\":{\"ranks\":0}}", "bad_spec", "ranks"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"options\":{\"rank\":1}}", "bad_spec",
         "did you mean ranks"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"after\":3}", "bad_request",
         "after must be an array"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"after\":[\"#2\"]}", "bad_request", "after[0]"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"after\":[1,\"#-1\"]}", "bad_request", "after[1]"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"after\":[\"1\"]}", "bad_request", "after[0]"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"after\":[0]}", "bad_request", "after[0]"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"after\":[null]}", "bad_request", "after[0]"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"key\":\"\"}", "bad_request", "key must be"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"key\":7}", "bad_request", "key must be"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"group\":\"a\\nb\"}", "bad_request",
         "group must be"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"after_any\":[\"#7\"]}", "bad_request",
         "after_any[0]"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"array\":\"#3\"}", "bad_request", "array must be"},
        {"{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"array\":7}", "bad_request", "array must be"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct job_row *row = NULL;
        const char *code = NULL;
        struct err err = {0};
        assert_int_equal(parse(CASES[i].json, &row, &code, &err), -EINVAL);
        assert_string_equal(code, CASES[i].code);
        assert_contains(err.text, CASES[i].part);
        assert_null(row);
    }
}

static void the_body_of_a_key_is_the_same_only_for_the_same_job(void **unused)
{
    (void)unused;
    CLEANUP(job_row_destroy_ptr)
    struct job_row *a =
        good("{\"key\":\"k\",\"kind\":\"mock\",\"fields\":{\"out\":\"/o\",\"seed\":2},\"after\":[\"#0\"]}");
    CLEANUP(job_row_destroy_ptr)
    struct job_row *b =
        good("{\"after\":[11],\"kind\":\"mock\",\"fields\":{\"seed\":2,\"out\":\"/o\"},\"key\":\"k\"}");
    CLEANUP(job_row_destroy_ptr)
    struct job_row *c =
        good("{\"key\":\"k\",\"kind\":\"mock\",\"fields\":{\"out\":\"/o\",\"seed\":3},\"after\":[\"#0\"]}");
    CLEANUP(job_row_destroy_ptr)
    struct job_row *d =
        good("{\"key\":\"k\",\"kind\":\"mock\",\"fields\":{\"out\":\"/o\",\"seed\":2},\"after\":[\"#1\"]}");
    assert_string_equal(a->body, b->body);
    assert_string_not_equal(a->body, c->body);
    assert_string_not_equal(a->body, d->body);
}

static void a_row_names_every_field_of_the_protocol(void **unused)
{
    (void)unused;
    static const char *const NAMES[] = {
        "id",    "kind",     "name",         "group",      "state",    "attempt", "priority",
        "ranks", "threads",  "submitted_us", "started_us", "ended_us", "reason",  "out",
        "after", "progress", "metrics",      "result",     "tag",      "array",   "after_any"};
    CLEANUP(job_row_destroy_ptr)
    struct job_row *row = good("{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"}}");
    row->life.state = JOB_WAITING;
    json_t *body = message_row(row, &(struct row_extra){0});
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        assert_non_null(json_object_get(body, NAMES[i]));
    assert_int_equal(json_object_size(body), sizeof NAMES / sizeof *NAMES);
    assert_true(json_is_null(json_object_get(body, "reason")));
    json_decref(body);
}

static void an_array_s_first_job_names_itself(void **unused)
{
    (void)unused;
    CLEANUP(job_row_destroy_ptr)
    struct job_row *row = good("{\"kind\":\"mock\",\"fields\":{\"out\":\"/o\"},\"array\":\"#2\"}");
    assert_int_equal(row->array, -1);
}

static void a_tag_is_one_whole_word_of_several(void **unused)
{
    (void)unused;
    assert_true(message_has_tag("elg,night-1,x", "elg"));
    assert_true(message_has_tag("elg,night-1,x", "night-1"));
    assert_true(message_has_tag("elg,night-1,x", "x"));
    assert_false(message_has_tag("elg,night-1,x", "night"));
    assert_false(message_has_tag("elg,night-1,x", "lg"));
    assert_false(message_has_tag("elg", ""));
    assert_false(message_has_tag(NULL, "elg"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_resolved_with_its_options),
        cmocka_unit_test(a_bad_job_is_refused_with_code_and_sentence),
        cmocka_unit_test(the_body_of_a_key_is_the_same_only_for_the_same_job),
        cmocka_unit_test(an_array_s_first_job_names_itself),
        cmocka_unit_test(a_tag_is_one_whole_word_of_several),
        cmocka_unit_test(a_row_names_every_field_of_the_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
