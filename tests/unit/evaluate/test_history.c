#include "daemon/worker/evaluate/history.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "tests/unit/check.h"

#include <errno.h>

static struct history *read_text(const char *text, bool accuracy, int expected, struct err *err)
{
    char *directory = check_directory(), *path = path_join(directory, "metrics.jsonl");
    struct history *history = NULL;
    assert_int_equal(file_publish(path, text, strlen(text), NULL), 0);
    assert_int_equal(history_read(&history, directory, accuracy, err), expected);
    unlink(path);
    rmdir(directory);
    free(path);
    free(directory);
    return history;
}

static void rows_go_to_their_series(void **state)
{
    (void)state;
    const char *text =
        "{\"step\": 10, \"loss\": 0.7, \"accuracy\": 0.5}\n{\"note\": 1}\n\n{\"step\": 20, \"loss\": 0.6}\n"
        "{\"step\": 20, \"epoch_loss\": 0.65, \"valid_loss\": 0.66, \"valid_accuracy\": 0.61}\n";
    struct history *history = read_text(text, false, 0, NULL);
    assert_true(history->logged == 2 && history->train.rows == 2 && history->valid.rows == 1);
    assert_true(history->train.values[2] == 20 && history->train.values[3] == 0.6 &&
                history->valid.values[1] == 0.66);
    history_free(history);
    history = read_text(text, true, 0, NULL);
    assert_true(history->train.rows == 1 && history->valid.values[1] == 0.61);
    history_free(history);
}

static void many_rows_are_averaged(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    for (int i = 0; i < 1003; i++)
        fprintf(stream, "{\"step\": %d, \"loss\": %d}\n", i, 2 * i);
    fclose(stream);
    struct history *history = read_text(text, false, 0, NULL);
    assert_true(history->logged == 1003 && history->train.rows <= 150);
    for (size_t i = 0; i < history->train.rows; i++)
        assert_near(history->train.values[2 * i + 1], 2 * history->train.values[2 * i], 1e-9);
    assert_near(history->train.values[0], 3, 1e-12); /* the mean of 0 .. 6 */
    history_free(history);
    free(text);
}

static void a_bad_line_and_an_empty_file_are_named(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(read_text("{\"step\": 1, \"loss\": 1}\n{\"step\": 2, \"lo", false, -EINVAL, &err));
    assert_contains(err.text, "metrics.jsonl:2");
    assert_null(read_text("{\"step\": 1, \"loss\": 1}\n", true, -ENOENT, &err));
    assert_contains(err.text, "accuracy");
    assert_int_equal(history_read(&(struct history *){NULL}, "/nowhere", false, &err), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_go_to_their_series),
        cmocka_unit_test(many_rows_are_averaged),
        cmocka_unit_test(a_bad_line_and_an_empty_file_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
