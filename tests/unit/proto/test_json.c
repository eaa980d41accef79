#include "common/file.h"
#include "common/path.h"
#include "proto/json.h"
#include "tests/unit/check.h"

static int read_yaml(const char *text, json_t **value, struct err *err)
{
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = path_join(directory, "f.yaml");
    assert_int_equal(file_publish(path, text, strlen(text), err), 0);
    return yaml_read_file(path, value, err);
}

static void yaml_becomes_typed_json(void **state)
{
    (void)state;
    struct err err;
    json_t *value;
    assert_int_equal(read_yaml("a: 1\nb: [2.5, yes, \"3\", true]\nc:\n  d: ~\n", &value, &err), 0);
    char *text = json_dumps(value, JSON_COMPACT);
    assert_string_equal(text, "{\"a\":1,\"b\":[2.5,\"yes\",\"3\",true],\"c\":{\"d\":null}}");
    free(text);
    json_decref(value);
}

static void yaml_errors_name_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } CASES[] = {
        {"a: 1\na: 2\n", ":2: a stands here twice"},
        {"a: &x 1\nb: *x\n", ":2: expected a value"},
        {"a: [1\nb: 2\n", ":2:"},
        {"", "is empty"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct err err;
        json_t *value;
        assert_true(read_yaml(CASES[i].text, &value, &err) < 0);
        assert_contains(err.text, CASES[i].part);
    }
}

static void json_refuses_duplicates_and_garbage(void **state)
{
    (void)state;
    struct err err;
    json_t *value;
    assert_true(json_parse_bytes("{\"a\":1,\"a\":2}", 13, &value, &err) < 0);
    assert_true(json_parse_bytes("{", 1, &value, &err) < 0);
    assert_contains(err.text, "line 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_becomes_typed_json),
        cmocka_unit_test(yaml_errors_name_the_line),
        cmocka_unit_test(json_refuses_duplicates_and_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
