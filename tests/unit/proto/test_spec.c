#include "proto/spec.h"
#include "tests/unit/check.h"

#include <errno.h>

static void every_default_passes_its_own_check(void **state)
{
    (void)state;
    size_t count;
    const struct spec_kind *kinds = spec_kinds(&count);
    for (size_t k = 0; k < count; k++) {
        for (size_t f = 0; f < kinds[k].count; f++) {
            const struct spec_field *field = &kinds[k].fields[f];
            json_t *value = NULL;
            struct err err = {0};
            if (field->preset && spec_parse(field, field->preset, &value, &err) != 0)
                fail_msg("%s %s: %s", kinds[k].name, field->name, err.text);
            assert_true(field->help && *field->help);
            json_decref(value);
        }
    }
}

static int resolve(const char *kind, const char *json, json_t **spec, struct err *err)
{
    json_t *given = json_loads(json, 0, NULL);
    assert_non_null(given);
    int code = spec_resolve(spec_kind_find(kind, err), given, spec, err);
    json_decref(given);
    return code;
}

static void resolve_fills_defaults(void **state)
{
    (void)state;
    struct err err;
    json_t *spec;
    assert_int_equal(resolve("mock", "{\"out\": \"/tmp/m\", \"bricks\": 3, \"gain\": \"2.5\"}", &spec, &err), 0);
    assert_int_equal(spec_int(spec, "bricks"), 3);
    assert_int_equal(spec_int(spec, "size"), 1024);
    assert_near(spec_real(spec, "gain"), 2.5, 0);
    assert_string_equal(spec_text(spec, "out"), "/tmp/m");
    json_decref(spec);
}

static void resolve_refuses_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *json, *part;
    } CASES[] = {
        {"mock", "{}", "mock needs out"},
        {"mock", "{\"out\": \"rel\"}", "out must be an absolute path"},
        {"mock", "{\"out\": \"/t\", \"brciks\": 3}", "did you mean bricks"},
        {"mock", "{\"out\": \"/t\", \"bricks\": 0}", "bricks must be between 1 and"},
        {"mock", "{\"out\": \"/t\", \"bricks\": 1.5}", "bricks must be of type integer"},
        {"mock", "{\"out\": \"/t\", \"bricks\": [1]}", "bricks must be of type integer"},
        {"mock", "{\"out\": \"/a\\nb\"}", "control character"},
        {"train", "{\"out\": \"/t\", \"dataset\": \"/d\", \"schedule\": \"sine\"}", "one of onecycle|constant"},
        {"train", "{\"out\": \"/t\", \"dataset\": \"/d\", \"model\": \"../x\"}", "model must be a name or an absolute path"},
        {"inject", "{\"out\": \"/t\", \"survey\": \"/s\", \"no_noise\": \"maybe\"}", "no_noise must be true or false"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct err err;
        json_t *spec;
        assert_int_equal(resolve(CASES[i].kind, CASES[i].json, &spec, &err), -EINVAL);
        assert_contains(err.text, CASES[i].part);
    }
}

static void unknown_kinds_get_a_suggestion(void **state)
{
    (void)state;
    struct err err;
    assert_null(spec_kind_find("trian", &err));
    assert_contains(err.text, "did you mean train?");
}

static void text_becomes_typed_values(void **state)
{
    (void)state;
    struct err err;
    json_t *value;
    const struct spec_field *field = spec_field_find(spec_kind_find("train", &err), "checkpoint_every", &err);
    assert_int_equal(spec_parse(field, "2m", &value, &err), 0);
    assert_near(json_number_value(value), 120, 0);
    json_decref(value);
    assert_int_equal(spec_parse(field, "soon", &value, &err), -EINVAL);
    assert_contains(err.text, "checkpoint_every must be a time span");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_passes_its_own_check), cmocka_unit_test(resolve_fills_defaults),
        cmocka_unit_test(resolve_refuses_with_a_sentence),    cmocka_unit_test(unknown_kinds_get_a_suggestion),
        cmocka_unit_test(text_becomes_typed_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
