#include "common/file.h"
#include "common/path.h"
#include "daemon/output.h"
#include "tests/unit/check.h"

#include <errno.h>

static char *directory;

static char *put(const char *name, const char *text, size_t size)
{
    char *path = path_join(directory, name);
    assert_int_equal(file_publish(path, text, size, NULL), 0);
    return path;
}

static void write_file(const char *name, const char *text, size_t size)
{
    free(put(name, text, size));
}

static void the_reason_is_the_last_error_line_or_the_last_line(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *reason;
        struct job_exit status;
    } CASES[] = {
        {"2026-01-31T12:00:00Z info: a\n2026-01-31T12:00:01Z error: no brick 0001p000\n",
         "no brick 0001p000",
         {.status = 1}},
        {"2026-01-31T12:00:01Z error: the cause\n-----\nmpirun noticed that a process died\n-----\n",
         "the cause",
         {.status = 1}},
        {"one\ntwo\n\n   \n------\n", "two", {.status = 2}},
        {"no newline", "no newline", {.status = 2}},
        {"esc \x1b[31mred\n", "esc ?[31mred", {.status = 2}},
        {"", "the worker ended with status 9 and said nothing", {.status = 9}},
        {"2026-01-31T12:00:00Z info: all is well\n",
         "the worker ended with status 3 and said nothing",
         {.status = 3}},
        {"mpirun noticed something\n",
         "the worker was ended by signal 9 (Killed): by someone, or because memory ran out",
         {.status = 137}},
        {"something before\n", "the worker was ended by signal 11 (Segmentation fault)", {.signal = 11}},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char reason[JOB_REASON_MAX];
        write_file("stderr", CASES[i].text, strlen(CASES[i].text));
        output_reason(directory, &CASES[i].status, reason);
        assert_string_equal(reason, CASES[i].reason);
    }
}

static void a_long_last_line_is_cut(void **unused)
{
    (void)unused;
    enum { SIZE = 100000 };
    CLEANUP(free_ptr) char *text = malloc(SIZE);
    char reason[JOB_REASON_MAX];
    memset(text, 'x', SIZE);
    write_file("stderr", text, SIZE);
    output_reason(directory, &(struct job_exit){.status = 1}, reason);
    assert_int_equal(strlen(reason), JOB_REASON_MAX - 1);
}

static void a_result_is_an_object_or_nothing(void **unused)
{
    (void)unused;
    struct err err = {0};
    CLEANUP(free_ptr) char *path = put("result.json", "{\"auc\": 0.5}", 12);
    json_t *result = output_result(directory, &err);
    assert_near(json_number_value(json_object_get(result, "auc")), 0.5, 0);
    json_decref(result);
    write_file("result.json", "[1]", 3);
    assert_null(output_result(directory, &err));
    assert_contains(err.text, "not a JSON object");
    write_file("result.json", "{\"auc\"", 6);
    assert_null(output_result(directory, &err));
    assert_contains(err.text, "result.json");
    unlink(path);
    err = (struct err){0};
    assert_null(output_result(directory, &err));
    assert_int_equal(err.code, 0);
}

static void chunks_put_together_are_the_file(void **unused)
{
    (void)unused;
    static const char TEXT[] = "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8c\nline two\n\ttab\nlast";
    CLEANUP(free_ptr) char *path = put("stderr", TEXT, sizeof TEXT - 1);
    for (int64_t limit = 4; limit < 40; limit++) {
        char all[128] = "";
        int64_t offset = 0;
        bool at_end = false;
        for (int turn = 0; turn < 64 && !at_end; turn++) {
            CLEANUP(free_ptr) char *text = NULL;
            assert_int_equal(output_chunk(path, offset, limit, &text, &offset, &at_end, NULL), 0);
            strncat(all, text, sizeof all - strlen(all) - 1);
        }
        assert_true(at_end);
        assert_string_equal(all, TEXT);
    }
}

static void bytes_that_are_no_text_become_marks(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *path = put("stderr", "a\0b\xff\x1b\n", 6), *text = NULL;
    int64_t next;
    bool at_end;
    assert_int_equal(output_chunk(path, 0, 100, &text, &next, &at_end, NULL), 0);
    assert_string_equal(text, "a?b??\n");
    assert_int_equal(next, 6);
    CLEANUP(free_ptr) char *beyond = NULL;
    assert_int_equal(output_chunk(path, 1000, 100, &beyond, &next, &at_end, NULL), 0);
    assert_string_equal(beyond, "");
    assert_int_equal(output_chunk("/nonexistent", 0, 10, &beyond, &next, &at_end, NULL), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reason_is_the_last_error_line_or_the_last_line),
        cmocka_unit_test(a_long_last_line_is_cut),
        cmocka_unit_test(a_result_is_an_object_or_nothing),
        cmocka_unit_test(chunks_put_together_are_the_file),
        cmocka_unit_test(bytes_that_are_no_text_become_marks),
    };
    directory = check_directory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
