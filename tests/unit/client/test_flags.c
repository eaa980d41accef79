#include "client/flags.h"
#include "common/cleanup.h"
#include "tests/unit/check.h"

static const struct spec_field VERB_FIELDS[] = {
    {"after", SPEC_INT, .help = "a job"},
    {"follow", SPEC_BOOL, .help = "go on"},
    {"help", SPEC_BOOL, .help = "this"},
};
static const struct spec_kind VERB = {"verb", "", VERB_FIELDS, 3};
static const char *const REPEATS[] = {"after", NULL};

enum { VERB_SET, JOB_SET, KIND_SET };

static void open_flags(struct flags *flags)
{
    *flags = (struct flags){.command = "decoy submit inject"};
    flags_add(flags, &VERB, REPEATS);
    flags_add(flags, spec_job_options(), NULL);
    flags_add(flags, spec_kind_find("inject", NULL), NULL);
}

/* arguments: NULL-ended. */
static int parse(struct flags *flags, const char **arguments, bool until_word, struct err *err)
{
    int count = 0;
    while (arguments[count])
        count++;
    return flags_parse(flags, count, (char **)arguments, until_word, err);
}

static json_t *value_of(struct flags *flags, int set, const char *name)
{
    return json_object_get(flags->sets[set].values, name);
}

static void flags_take_both_forms_and_types(void **state)
{
    (void)state;
    struct flags flags;
    struct err err = {0};
    open_flags(&flags);
    const char *arguments[] = {
        "--psf-scale", "0.7",  "--shift-px=-1.5", "--per-brick", "12", "--time-limit", "1:30:00",
        "--no-noise",  "word", "--ranks=max",     NULL};
    assert_int_equal(parse(&flags, arguments, false, &err), 10);
    assert_near(json_real_value(value_of(&flags, KIND_SET, "psf_scale")), 0.7, 0);
    assert_near(json_real_value(value_of(&flags, KIND_SET, "shift_px")), -1.5, 0);
    assert_int_equal(json_integer_value(value_of(&flags, KIND_SET, "per_brick")), 12);
    assert_true(json_is_true(value_of(&flags, KIND_SET, "no_noise")));
    assert_near(json_real_value(value_of(&flags, JOB_SET, "time_limit")), 5400, 0);
    assert_string_equal(json_string_value(value_of(&flags, JOB_SET, "ranks")), "max");
    assert_string_equal(json_string_value(json_array_get(flags.words, 0)), "word");
    flags_clear(&flags);
}

static void negative_number_is_a_value_not_a_flag(void **state)
{
    (void)state;
    struct flags flags;
    open_flags(&flags);
    const char *arguments[] = {"--shift-px", "-1", NULL};
    assert_int_equal(parse(&flags, arguments, false, NULL), 2);
    assert_near(json_real_value(value_of(&flags, KIND_SET, "shift_px")), -1, 0);
    flags_clear(&flags);
}

static void bare_truth_flag_takes_only_a_plain_truth(void **state)
{
    (void)state;
    struct flags flags;
    open_flags(&flags);
    const char *arguments[] = {"--no-noise", "false", "--follow", "1", "--hold=no", NULL};
    assert_int_equal(parse(&flags, arguments, false, NULL), 5);
    assert_true(json_is_false(value_of(&flags, KIND_SET, "no_noise")));
    assert_true(json_is_true(value_of(&flags, VERB_SET, "follow")));
    assert_true(json_is_false(value_of(&flags, JOB_SET, "hold")));
    assert_string_equal(json_string_value(json_array_get(flags.words, 0)), "1");
    flags_clear(&flags);
}

static void repeating_flag_makes_an_array(void **state)
{
    (void)state;
    struct flags flags;
    open_flags(&flags);
    const char *arguments[] = {"--after", "1", "--after=2", "-f", "--", "--after", NULL};
    assert_int_equal(parse(&flags, arguments, false, NULL), 6);
    assert_int_equal(json_array_size(value_of(&flags, VERB_SET, "after")), 2);
    assert_int_equal(json_integer_value(json_array_get(value_of(&flags, VERB_SET, "after"), 1)), 2);
    assert_true(json_is_true(value_of(&flags, VERB_SET, "follow")));
    assert_string_equal(json_string_value(json_array_get(flags.words, 0)), "--after");
    flags_clear(&flags);
}

static void parse_stops_after_a_word_when_asked(void **state)
{
    (void)state;
    struct flags flags;
    open_flags(&flags);
    const char *arguments[] = {"--hold", "inject", "--nonsense", NULL};
    assert_int_equal(parse(&flags, arguments, true, NULL), 2);
    flags_clear(&flags);
}

static void errors_name_the_flag(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[5];
        const char *part;
    } CASES[] = {
        {{"--psf-scal", "1"}, "--psf-scal is no flag of `decoy submit inject`; did you mean --psf-scale?"},
        {{"--frobnicate"},
         "--frobnicate is no flag of `decoy submit inject`; `decoy submit inject --help` lists them"},
        {{"--psf-scale", "x"}, "--psf-scale must be a number"},
        {{"--psf-scale", "99"}, "--psf-scale must be between 0.1 and 10"},
        {{"--psf-scale"}, "--psf-scale needs a value"},
        {{"--psf-scale", "--no-noise"}, "--psf-scale needs a value"},
        {{"--psf-scale=1", "--psf-scale=1"}, "--psf-scale is given twice"},
        {{"--no-noise=perhaps"}, "--no-noise must be true or false"},
        {{"--after", "one"}, "--after must be an integer"},
        {{"--prior="}, "--prior is empty"},
        {{"--ranks", "most"}, "--ranks must be an integer"},
        {{"-x"}, "-x is no flag"},
        {{"--name", "a\nb"}, "--name holds a control character"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct flags flags;
        struct err err = {0};
        open_flags(&flags);
        assert_true(parse(&flags, (const char **)CASES[i].arguments, false, &err) < 0);
        assert_contains(err.text, CASES[i].part);
        flags_clear(&flags);
    }
}

static void every_field_of_every_kind_is_a_flag_of_its_own(void **state)
{
    (void)state;
    size_t count;
    const struct spec_kind *kinds = spec_kinds(&count), *options = spec_job_options();
    for (size_t k = 0; k < count; k++) {
        for (size_t i = 0; i < kinds[k].count; i++) {
            for (size_t j = 0; j < options->count; j++)
                assert_string_not_equal(kinds[k].fields[i].name, options->fields[j].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_take_both_forms_and_types),
        cmocka_unit_test(negative_number_is_a_value_not_a_flag),
        cmocka_unit_test(bare_truth_flag_takes_only_a_plain_truth),
        cmocka_unit_test(repeating_flag_makes_an_array),
        cmocka_unit_test(parse_stops_after_a_word_when_asked),
        cmocka_unit_test(errors_name_the_flag),
        cmocka_unit_test(every_field_of_every_kind_is_a_flag_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
