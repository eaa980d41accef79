#include "client/substitute.h"
#include "common/cleanup.h"
#include "tests/unit/check.h"

/* context: an object with what is known. */
static json_t *find(void *context, const char *name, struct err *err)
{
    json_t *value = json_object_get(context, name);
    if (!value)
        err_set(err, -1, "no %s", name);
    return value;
}

static json_t *known(void)
{
    return json_pack("{si sf sb sn ss}", "seed", 7, "scale", 0.7, "dip", 1, "prior", "survey", "/run/survey");
}

static void expect_text(const char *text, const char *expected)
{
    json_t *context = known(), *value = NULL;
    struct err err;
    assert_int_equal(substitute(text, find, context, &value, &err), 0);
    assert_string_equal(json_string_value(value), expected);
    json_decref(value);
    json_decref(context);
}

static void expect_error(const char *text, const char *part)
{
    json_t *context = known(), *value = NULL;
    struct err err;
    assert_true(substitute(text, find, context, &value, &err) < 0);
    assert_null(value);
    assert_contains(err.text, part);
    json_decref(context);
}

static void whole_reference_keeps_its_type(void **state)
{
    (void)state;
    const struct {
        const char *text;
        json_type type;
    } CASES[] = {{"${seed}", JSON_INTEGER},
                 {"${scale}", JSON_REAL},
                 {"${dip}", JSON_TRUE},
                 {"${prior}", JSON_NULL},
                 {"$(seed)", JSON_INTEGER}};
    json_t *context = known();
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        json_t *value = NULL;
        assert_int_equal(substitute(CASES[i].text, find, context, &value, NULL), 0);
        assert_int_equal(json_typeof(value), CASES[i].type);
        json_decref(value);
    }
    json_decref(context);
}

static void references_in_text_become_text(void **state)
{
    (void)state;
    expect_text("${survey}/sub", "/run/survey/sub");
    expect_text("a${seed}-${scale}-${dip}", "a7-0.7-true");
    expect_text("plain", "plain");
    expect_text("", "");
}

static void two_dollars_are_one(void **state)
{
    (void)state;
    expect_text("$$", "$");
    expect_text("$${seed}", "${seed}");
    expect_text("$$${seed}", "$7");
}

static void what_is_no_reference_is_refused(void **state)
{
    (void)state;
    expect_error("${sed}", "no sed");
    expect_error("x${sed}", "no sed");
    expect_error("$seed", "written $$");
    expect_error("${seed", "written $$");
    expect_error("${}", "written $$");
    expect_error("${a b}", "written $$");
    expect_error("x-${prior}", "--set prior=");
    expect_error("5$", "written $$");
}

static void braces_are_hidden_where_they_make_a_reference(void **state)
{
    (void)state;
    char text[] = "a: {b: ${seed}, c: \"${x-1}/y\", d: $${seed}, e: ${no }, f: $$${g}} ${";
    substitute_hide_braces(text, strlen(text));
    assert_string_equal(text, "a: {b: $(seed), c: \"$(x-1)/y\", d: $${seed}, e: ${no }, f: $$$(g)} ${");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_reference_keeps_its_type),
        cmocka_unit_test(references_in_text_become_text),
        cmocka_unit_test(two_dollars_are_one),
        cmocka_unit_test(what_is_no_reference_is_refused),
        cmocka_unit_test(braces_are_hidden_where_they_make_a_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
