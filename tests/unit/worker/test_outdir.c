#include "common/cleanup.h"
#include "common/file.h"
#include "common/path.h"
#include "daemon/worker/outdir.h"
#include "tests/unit/check.h"

#include <errno.h>

static void mark(const char *directory, const char *name)
{
    CLEANUP(free_ptr) char *path = path_join(directory, name);
    assert_int_equal(file_publish(path, "", 0, NULL), 0);
}

static void outdir_of_another_kind_is_refused(void **state)
{
    (void)state;
    static const char *const MARKS[][2] = {{"survey-bricks.fits.gz", "mock"}, {"obiwan", "inject"},
                                           {"cutouts.json", "cutouts"},       {"index.h5", "split"},
                                           {"audit.json", "audit"},           {"ckpts", "train"},
                                           {"predictions.h5", "evaluate"}};
    for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++) {
        CLEANUP(free_ptr) char *directory = check_directory();
        mark(directory, MARKS[i][0]);
        for (size_t k = 0; k < sizeof MARKS / sizeof *MARKS; k++) {
            struct err err = {0};
            assert_int_equal(outdir_check(MARKS[k][1], directory, &err), i == k ? 0 : -EEXIST);
            if (i != k)
                assert_contains(err.text, MARKS[i][0]);
        }
    }
}

static void outdir_may_be_missing_or_hold_a_strangers_files(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *missing = path_join(directory, "nothing");
    mark(directory, "notes.txt");
    assert_int_equal(outdir_check("train", directory, NULL), 0);
    assert_int_equal(outdir_check("train", missing, NULL), 0);
}

static void outdir_that_is_a_file_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *file = path_join(directory, "file");
    mark(directory, "file");
    assert_int_equal(outdir_check("mock", file, &err), -ENOTDIR);
    assert_contains(err.text, file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outdir_of_another_kind_is_refused),
        cmocka_unit_test(outdir_may_be_missing_or_hold_a_strangers_files),
        cmocka_unit_test(outdir_that_is_a_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
