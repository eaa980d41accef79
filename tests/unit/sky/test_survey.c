#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/sky/survey.h"
#include "tests/unit/check.h"

#include <errno.h>

static char *root;

static void touch(const char *name)
{
    CLEANUP(free_ptr) char *path = path_join(root, name);
    CLEANUP(free_ptr) char *folder = path_directory(path);
    assert_int_equal(path_make_directories(folder, 0777, NULL), 0);
    assert_int_equal(file_publish(path, "", 0, NULL), 0);
}

static int make_survey(void **state)
{
    (void)state;
    static const char *const files[] = {
        "coadd/135/1350m000/legacysurvey-1350m000-image-g.fits.fz",
        "coadd/135/1350m000/legacysurvey-1350m000-image-r.fits",
        "coadd/135/1350m000/legacysurvey-1350m000-image-z.fits.gz",
        "coadd/134/1349m000/rs300/legacysurvey-1349m000-image-g.fits.fz",
        "coadd/134/1349m000/more_skip_rs0/x",
        "coadd/134/1349m000/rsx/x", /* no run: files beside runs, so the brick itself is listed too */
        "coadd/135/1349p005/x",     /* in another's group */
        "coadd/136/.hidden/x",
        "coadd/README",
        "tractor/135/tractor-1350m000.fits",
        "tractor/134/1349m000/rs300/tractor-1349m000.fits",
        "obiwan/134/1349m000/rs300/simcat-elg-1349m000.fits",
    };
    root = check_directory();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        touch(files[i]);
    CLEANUP(free_ptr) char *empty = path_join(root, "coadd/135/1351p000");
    return path_make_directories(empty, 0777, NULL);
}

static int remove_survey(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *command = str_format("rm -r '%s'", root);
    int status = system(command);
    free(root);
    return status;
}

static void bricks_and_runs_are_found_in_order(void **state)
{
    (void)state;
    static const char *const expected[][2] = {{"1349m000", ""},
                                              {"1349m000", "more_skip_rs0"},
                                              {"1349m000", "rs300"},
                                              {"1350m000", ""},
                                              {"1351p000", ""}};
    CLEANUP(survey_close_ptr) struct survey *survey = NULL;
    struct err err;
    size_t count;
    assert_int_equal(survey_open(&survey, root, NULL, &err), 0);
    const struct brick *bricks = survey_bricks(survey, &count);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(bricks[i].name, expected[i][0]);
        assert_string_equal(bricks[i].run, expected[i][1]);
    }
}

static void a_list_keeps_all_runs_of_its_bricks_and_names_what_is_missing(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *list = path_join(root, "list.txt");
    CLEANUP(survey_close_ptr) struct survey *survey = NULL;
    struct survey *none = NULL;
    struct err err;
    size_t count;
    assert_int_equal(file_publish(list, "# two\n 1349m000 \r\n\n1349m000\n", 28, NULL), 0);
    assert_int_equal(survey_open(&survey, root, list, &err), 0);
    survey_bricks(survey, &count);
    assert_int_equal(count, 3);
    assert_int_equal(file_publish(list, "1349m000\n1349m001\n", 18, NULL), 0);
    assert_int_equal(survey_open(&none, root, list, &err), -ENOENT);
    assert_contains(err.text, "list.txt:2: brick 1349m001");
    assert_int_equal(file_publish(list, "#\n", 2, NULL), 0);
    assert_int_equal(survey_open(&none, root, list, &err), -ENOENT);
    assert_contains(err.text, "names no brick");
    assert_null(none);
}

static void a_folder_that_is_no_survey_is_named(void **state)
{
    (void)state;
    struct survey *survey = NULL;
    struct err err;
    CLEANUP(free_ptr) char *tractor = path_join(root, "tractor");
    assert_int_equal(survey_open(&survey, tractor, NULL, &err), -ENOENT);
    assert_contains(err.text, "/tractor is no survey");
    assert_null(survey);
}

static void finders_take_each_ending_and_name_what_is_missing(void **state)
{
    (void)state;
    const struct brick own = {"1350m000", ""}, run = {"1349m000", "rs300"};
    CLEANUP(survey_close_ptr) struct survey *survey = NULL;
    CLEANUP(free_ptr) char *g = NULL, *r = NULL, *z = NULL, *catalogue = NULL, *truth = NULL, *none = NULL;
    struct err err;
    assert_int_equal(survey_open_unlisted(&survey, root, &err), 0);
    assert_int_equal(survey_find_plane(survey, &own, "image", 'g', &g, &err), 0);
    assert_int_equal(survey_find_plane(survey, &own, "image", 'r', &r, &err), 0);
    assert_int_equal(survey_find_plane(survey, &own, "image", 'z', &z, &err), 0);
    assert_contains(g, "image-g.fits.fz");
    assert_contains(r, "image-r.fits");
    assert_contains(z, "image-z.fits.gz");
    assert_int_equal(survey_find_plane(survey, &own, "invvar", 'z', &none, &err), -ENOENT);
    assert_contains(err.text, "brick 1350m000 has no invvar in band z");
    assert_int_equal(survey_find_catalogue(survey, &run, &catalogue, &err), 0);
    assert_contains(catalogue, "/tractor/134/1349m000/rs300/tractor-1349m000.fits");
    assert_int_equal(survey_find_truth(survey, &run, &truth, &err), 0);
    assert_contains(truth, "/obiwan/134/1349m000/rs300/simcat-elg-1349m000.fits");
}

static void writers_paths_are_where_finders_look(void **state)
{
    (void)state;
    const struct brick bricks[] = {{"2000p100", ""}, {"2000p100", "rs0"}};
    CLEANUP(survey_close_ptr) struct survey *survey = NULL;
    assert_int_equal(survey_open_unlisted(&survey, root, NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(free_ptr)
        char *plane = NULL, *catalogue = NULL, *truth = NULL, *found = NULL, *found_catalogue = NULL,
             *found_truth = NULL;
        assert_int_equal(survey_plane_path(root, &bricks[i], "invvar", 'z', &plane, NULL), 0);
        assert_int_equal(survey_catalogue_path(root, &bricks[i], &catalogue, NULL), 0);
        assert_int_equal(survey_truth_path(root, &bricks[i], &truth, NULL), 0);
        assert_int_equal(file_publish(plane, "", 0, NULL) | file_publish(catalogue, "", 0, NULL) |
                             file_publish(truth, "", 0, NULL),
                         0);
        assert_int_equal(survey_find_plane(survey, &bricks[i], "invvar", 'z', &found, NULL), 0);
        assert_int_equal(survey_find_catalogue(survey, &bricks[i], &found_catalogue, NULL), 0);
        assert_int_equal(survey_find_truth(survey, &bricks[i], &found_truth, NULL), 0);
        assert_string_equal(plane, found);
        assert_string_equal(catalogue, found_catalogue);
        assert_string_equal(truth, found_truth);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bricks_and_runs_are_found_in_order),
        cmocka_unit_test(a_list_keeps_all_runs_of_its_bricks_and_names_what_is_missing),
        cmocka_unit_test(a_folder_that_is_no_survey_is_named),
        cmocka_unit_test(finders_take_each_ending_and_name_what_is_missing),
        cmocka_unit_test(writers_paths_are_where_finders_look),
    };
    return cmocka_run_group_tests(tests, make_survey, remove_survey);
}
