/* Writes the files that read_events.py then reads, without any code in common; and what C alone can check. */
#include "daemon/worker/report/events.h"
#include "daemon/worker/report/trace.h"
#include "common/path.h"
#include "common/str.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <math.h>

static void remove_tree(const char *directory)
{
    char *command = str_format("rm -rf '%s'", directory);
    assert_int_equal(system(command), 0);
    free(command);
}

static void events_two_opened_in_one_second_are_two_files(void **state)
{
    (void)state;
    char *directory = check_directory();
    struct events *first = NULL, *second = NULL;
    assert_int_equal(events_open(&first, directory, "train", NULL), 0);
    assert_int_equal(events_open(&second, directory, "train", NULL), 0);
    assert_int_equal(events_scalar(first, 1, "loss", 0.5, NULL), 0);
    events_close(first);
    events_close(second);
    remove_tree(directory);
    free(directory);
}

static void events_in_a_missing_directory_name_it(void **state)
{
    (void)state;
    struct err err = {0};
    struct events *events = NULL;
    assert_int_equal(events_open(&events, "/nowhere/logs", "train", &err), -ENOENT);
    assert_null(events);
    assert_contains(err.text, "/nowhere/logs");
}

static void events_and_trace_are_read_by_another_program(void **state)
{
    (void)state;
    char *directory = check_directory();
    struct events *events = NULL;
    assert_int_equal(events_open(&events, directory, "train", NULL), 0);
    const char *const from_input[] = {"input"};
    const struct events_node nodes[] = {
        {.name = "input", .operation = "Placeholder", .shape = {16, 64, 64, 6}, .dimensions = 4},
        {.name = "conv1",
         .operation = "Conv2D",
         .inputs = from_input,
         .input_count = 1,
         .shape = {16, 64, 64, 18},
         .dimensions = 4},
    };
    assert_int_equal(events_graph(events, nodes, 2, NULL), 0);
    for (int step = 0; step < 300; step++)
        assert_int_equal(events_scalar(events, step, "loss/train", 1.0 / (step + 1), NULL), 0);
    char png[70000];
    for (size_t i = 0; i < sizeof png; i++)
        png[i] = (char)(i * 7);
    assert_int_equal(events_image(events, 300, "stamps", 120, 80, png, sizeof png, NULL), 0);
    float weights[14] = {NAN, INFINITY};
    for (int i = 0; i < 12; i++)
        weights[i + 2] = (float)(i - 6) / 2;
    assert_int_equal(events_histogram(events, 300, "conv1/weight", weights, 14, NULL), 0);
    events_close(events);

    struct trace *trace = NULL;
    assert_int_equal(trace_create(&trace, 3, 1, "node \"three\""), 0);
    for (int i = 0; i < 1000; i++) {
        double at_s = 1e6 + i * 1e-3;
        trace_slice(trace, "step", "forward", at_s, at_s + 1e-3);
        trace_slice(trace, "conv1", "forward", at_s, at_s + 0.4e-3);
        trace_slice(trace, "conv2", "backward", at_s + 0.4e-3, at_s + 1e-3);
    }
    char *path = path_join(directory, "trace.json");
    assert_int_equal(trace_publish(trace, path, NULL), 0);
    trace_destroy(trace);
    char *command = str_format("/usr/bin/python3 '%s/read_events.py' '%s'", getenv("TEST_SOURCE"), directory);
    assert_int_equal(system(command), 0);
    remove_tree(directory);
    free(command);
    free(path);
    free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_two_opened_in_one_second_are_two_files),
        cmocka_unit_test(events_in_a_missing_directory_name_it),
        cmocka_unit_test(events_and_trace_are_read_by_another_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
