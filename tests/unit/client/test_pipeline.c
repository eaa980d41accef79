#include "client/pipeline.h"
#include "common/file.h"
#include "common/path.h"
#include "tests/unit/check.h"

static int set_up(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *folder = check_directory();
    return chdir(folder);
}

/* Reads the text as a file and plans it with one setting (or NULL). */
static int plan_text(const char *text, const char *setting, const char *key, json_t **plan, struct err *err)
{
    CLEANUP(pipeline_destroy_ptr) struct pipeline *pipeline = NULL;
    *err = (struct err){0};
    *plan = NULL;
    assert_int_equal(file_publish("p.yaml", text, strlen(text), err), 0);
    int code = pipeline_read(&pipeline, "p.yaml", err);
    if (!code && setting)
        code = pipeline_set(pipeline, setting, err);
    return code ? code : pipeline_plan(pipeline, "/run", key, plan, err);
}

static void expect_error(const char *text, const char *setting, const char *part)
{
    struct err err;
    json_t *plan;
    assert_true(plan_text(text, setting, NULL, &plan, &err) < 0);
    assert_contains(err.text, part);
}

static json_t *job(json_t *plan, size_t i)
{
    return json_array_get(json_object_get(plan, "jobs"), i);
}

static json_t *field(json_t *plan, size_t i, const char *table, const char *name)
{
    return json_object_get(json_object_get(job(plan, i), table), name);
}

static const char DEMO[] =
    "name: demo\n"
    "params: {seed: 3, psf: 0.7, prior: null, noise: false, ranks: 2, sub: x}\n"
    "stages:\n"
    "  survey: {kind: mock, seed: ${seed}, ranks: ${ranks}}\n"
    "  fakes:\n"
    "    kind: inject\n"
    "    survey: ${survey}\n"
    "    prior: ${prior}\n"
    "    psf_scale: ${psf}\n"
    "    no_noise: ${noise}\n"
    "    time_limit: 15m\n"
    "  stamps: {kind: cutouts, survey: ${survey}, simulation: \"${fakes}/${sub}\", cuts: cuts/own.yaml}\n";

static void stages_become_jobs_with_dependencies(void **state)
{
    (void)state;
    struct err err;
    json_t *plan;
    assert_int_equal(plan_text(DEMO, NULL, NULL, &plan, &err), 0);
    assert_int_equal(json_array_size(json_object_get(plan, "jobs")), 3);
    assert_int_equal(json_integer_value(field(plan, 0, "fields", "seed")), 3);
    assert_int_equal(json_integer_value(field(plan, 0, "options", "ranks")), 2);
    assert_string_equal(json_string_value(field(plan, 0, "options", "name")), "survey");
    assert_string_equal(json_string_value(field(plan, 0, "fields", "out")), "/run/survey");
    assert_string_equal(json_string_value(field(plan, 1, "fields", "survey")), "/run/survey");
    assert_null(field(plan, 1, "fields", "prior"));
    assert_near(json_real_value(field(plan, 1, "options", "time_limit")), 900, 0);
    assert_true(json_is_false(field(plan, 1, "fields", "no_noise")));
    assert_string_equal(json_string_value(field(plan, 2, "fields", "simulation")), "/run/fakes/x");
    CLEANUP(free_ptr) char *cuts = path_absolute("cuts/own.yaml");
    assert_string_equal(json_string_value(field(plan, 2, "fields", "cuts")), cuts);
    json_t *after = json_object_get(job(plan, 2), "after");
    assert_int_equal(json_array_size(after), 2);
    assert_string_equal(json_string_value(json_array_get(after, 1)), "#1");
    assert_string_equal(json_string_value(json_object_get(job(plan, 2), "group")), "demo");
    assert_true(json_is_null(json_object_get(job(plan, 2), "key")));
    json_decref(plan);
}

static void settings_are_checked_like_the_file(void **state)
{
    (void)state;
    struct err err;
    json_t *plan;
    assert_int_equal(plan_text(DEMO, "seed=12", NULL, &plan, &err), 0);
    assert_int_equal(json_integer_value(field(plan, 0, "fields", "seed")), 12);
    json_decref(plan);
    assert_int_equal(plan_text(DEMO, "prior=elg.csv", NULL, &plan, &err), 0);
    CLEANUP(free_ptr) char *prior = path_absolute("elg.csv");
    assert_string_equal(json_string_value(field(plan, 1, "fields", "prior")), prior);
    json_decref(plan);
    assert_int_equal(plan_text(DEMO, "ranks=max", NULL, &plan, &err), 0);
    assert_string_equal(json_string_value(field(plan, 0, "options", "ranks")), "max");
    json_decref(plan);
    expect_error(DEMO, "sed=1", "--set sed: p.yaml has no such param; did you mean seed?");
    expect_error(DEMO, "seed", "NAME=VALUE");
    expect_error(DEMO, "seed=x", "p.yaml:survey:seed: seed must be an integer, not x");
    expect_error(DEMO, "psf=100", "p.yaml:fakes:psf_scale: psf_scale must be between");
    expect_error(DEMO, "sub=", "p.yaml:stamps:simulation: needs --set sub=");
}

static void a_stage_may_come_after_any_end_of_another(void **state)
{
    (void)state;
    struct err err;
    json_t *plan;
    assert_int_equal(
        plan_text("stages:\n  a: {kind: mock}\n  b: {kind: cutouts, survey: ${a}, after_any: [a]}\n"
                  "  c: {kind: mock, after_any: [a, b]}\n",
                  NULL, NULL, &plan, &err),
        0);
    assert_null(json_object_get(job(plan, 0), "after_any"));
    assert_int_equal(json_array_size(json_object_get(job(plan, 1), "after")),
                     1); /* the stricter wish counts */
    assert_null(json_object_get(job(plan, 1), "after_any"));
    assert_int_equal(json_array_size(json_object_get(job(plan, 2), "after")), 0);
    assert_int_equal(json_array_size(json_object_get(job(plan, 2), "after_any")), 2);
    json_decref(plan);
}

static void keys_are_made_from_the_runs_key(void **state)
{
    (void)state;
    struct err err;
    json_t *plan;
    assert_int_equal(plan_text(DEMO, NULL, "abc", &plan, &err), 0);
    assert_string_equal(json_string_value(json_object_get(job(plan, 1), "key")), "abc/fakes");
    json_decref(plan);
}

static void stages_may_stand_in_any_order(void **state)
{
    (void)state;
    struct err err;
    json_t *plan;
    assert_int_equal(plan_text("stages:\n  b: {kind: split, cutouts: ${a}}\n  c: {kind: mock, after: [b]}\n"
                               "  a: {kind: cutouts, survey: /s}\n",
                               NULL, NULL, &plan, &err),
                     0);
    json_t *stages = json_object_get(plan, "stages");
    const char *const ORDER[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(json_string_value(json_array_get(stages, i)), ORDER[i]);
    assert_string_equal(json_string_value(json_array_get(json_object_get(job(plan, 2), "after"), 0)), "#1");
    assert_string_equal(json_string_value(json_object_get(job(plan, 0), "group")), "p");
    json_decref(plan);
}

static void param_of_a_stages_name_is_seen_by_that_stage(void **state)
{
    (void)state;
    struct err err;
    json_t *plan;
    assert_int_equal(
        plan_text("params: {model: lenet}\nstages:\n  model: {kind: train, dataset: /d, model: ${model}}\n"
                  "  verdict: {kind: evaluate, dataset: /d, model: ${model}}\n",
                  NULL, NULL, &plan, &err),
        0);
    assert_string_equal(json_string_value(field(plan, 0, "fields", "model")), "lenet");
    assert_string_equal(json_string_value(field(plan, 1, "fields", "model")), "/run/model");
    json_decref(plan);
}

static void errors_name_file_stage_and_field(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } CASES[] = {
        {"stages:\n  a: {kind: mock, sed: 1}", "p.yaml:a:sed: mock has no field sed; did you mean seed?"},
        {"stages:\n  a: {kind: mook}", "p.yaml:a:kind: no job kind mook; did you mean mock?"},
        {"stages:\n  a: {seed: 1}", "p.yaml:a:kind: a stage needs a kind"},
        {"params: {seed: 1}\nstages:\n  a: {kind: mock, seed: ${sed}}",
         "p.yaml:a:seed: ${sed} is neither a param nor a stage; did you mean seed?"},
        {"stages:\n  a: {kind: mock, seed: [1]}", "p.yaml:a:seed: must be a single value"},
        {"stages:\n  a: {kind: mock, seed: true}", "p.yaml:a:seed: seed must be of type integer"},
        {"stages:\n  a: {kind: mock, bricks: 0}", "p.yaml:a:bricks: bricks must be between"},
        {"stages:\n  a: {kind: audit}", "p.yaml:a:dataset: audit needs it"},
        {"params: {s: null}\nstages:\n  a: {kind: audit, dataset: ${s}}",
         "p.yaml:a:dataset: needs --set s=...: output of a split job"},
        {"stages:\n  a: {kind: split, cutouts: ${b}}\n  b: {kind: cutouts, survey: ${a}}",
         "p.yaml:a: the stage needs itself"},
        {"stages:\n  a: {kind: split, cutouts: ${a}}", "p.yaml:a: the stage needs itself"},
        {"stages:\n  a: {kind: mock, after: [bb]}\n  bbb: {kind: mock}",
         "p.yaml:a:after: bb is no stage; did you mean bbb?"},
        {"stages:\n  a: {kind: mock, out: ${b}}\n  b: {kind: mock}", "p.yaml:a:out: ${b} is a stage"},
        {"params: [1]\nstages:\n  a: {kind: mock}", "params must be a mapping"},
        {"params: {a: {b: 1}}\nstages:\n  b: {kind: mock}", "param a must be a single value"},
        {"stagse:\n  a: {kind: mock}",
         "p.yaml: stagse is none of name, params, stages; did you mean stages?"},
        {"stages: {}", "p.yaml has no stages"},
        {"name: a/b\nstages:\n  a: {kind: mock}", "p.yaml:name:"},
        {"stages:\n  a/b: {kind: mock}", "a/b is no name for a stage"},
        {"stages:\n  a: mock", "p.yaml:a: a stage must be a mapping"},
        {"- 1", "p.yaml must be a mapping"},
        {"stages:\n  a: {kind: mock,", "p.yaml:3: "},
        {"", "p.yaml is empty"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        expect_error(CASES[i].text, NULL, CASES[i].part);
}

static void expect_preset(const char *name, const char *setting, size_t count)
{
    CLEANUP(pipeline_destroy_ptr) struct pipeline *pipeline = NULL;
    char path[4096];
    struct err err = {0};
    json_t *plan = NULL;
    snprintf(path, sizeof path, "%s/pipelines/%s.yaml", DECOY_SOURCE_ETC, name);
    int code = pipeline_read(&pipeline, path, &err);
    if (!code && setting)
        code = pipeline_set(pipeline, setting, &err);
    if (!code)
        code = pipeline_plan(pipeline, "/run", NULL, &plan, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(json_array_size(json_object_get(plan, "jobs")), count);
    json_decref(plan);
}

static void presets_can_be_planned(void **state)
{
    (void)state;
    expect_preset("demo", NULL, 7);
    expect_preset("survey", "survey=/data", 6);
    expect_preset("controls", "dataset=/data", 10);
    expect_preset("spoils", NULL, 21);
    expect_preset("simulated", "survey=/data", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_become_jobs_with_dependencies),
        cmocka_unit_test(settings_are_checked_like_the_file),
        cmocka_unit_test(a_stage_may_come_after_any_end_of_another),
        cmocka_unit_test(keys_are_made_from_the_runs_key),
        cmocka_unit_test(stages_may_stand_in_any_order),
        cmocka_unit_test(param_of_a_stages_name_is_seen_by_that_stage),
        cmocka_unit_test(errors_name_file_stage_and_field),
        cmocka_unit_test(presets_can_be_planned),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
