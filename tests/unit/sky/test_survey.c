#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/sky/brick_names.h"
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
    assert_int_equal(survey_open(&survey, root, &err), 0);
    const struct brick *bricks = survey_bricks(survey, &count);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(bricks[i].name, expected[i][0]);
        assert_string_equal(bricks[i].run, expected[i][1]);
    }
}

/* "name run, ..." of what was listed. */
static char *listed(const struct survey *survey)
{
    size_t count;
    const struct brick *bricks = survey_bricks(survey, &count);
    char *text = str_format("%s", "");
    for (size_t i = 0; i < count; i++) {
        char *longer = str_format("%s%s%s%s%s", text, i ? ", " : "", bricks[i].name,
                                  bricks[i].run[0] ? " " : "", bricks[i].run);
        free(text);
        text = longer;
    }
    return text;
}

static void a_list_of_names_is_read_and_its_bad_lines_named(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *list = path_join(root, "list.txt");
    CLEANUP(brick_names_free) struct brick_names names = {0};
    struct brick_names bad;
    struct err err;
    static const char good[] = "1350m000\n# two\n 1349m000 \r\n\n1349m000\n";
    assert_int_equal(file_publish(list, good, sizeof good - 1, NULL), 0);
    assert_int_equal(brick_names_read(&names, list, &err), 0);
    assert_int_equal(names.count, 2);
    assert_string_equal(names.bricks[0].name, "1349m000");
    assert_true(names.lines[0] == 3 && names.lines[1] == 1);
    assert_true(brick_names_have(&names, "1350m000") && !brick_names_have(&names, "1349m001"));
    assert_int_equal(file_publish(list, "1349m000\n../x\n", 14, NULL), 0);
    assert_int_equal(brick_names_read(&bad, list, &err), -EINVAL);
    assert_contains(err.text, "list.txt:2: ../x is no brick's name");
    brick_names_free(&bad);
    assert_int_equal(file_publish(list, "#\n", 2, NULL), 0);
    assert_int_equal(brick_names_read(&bad, list, &err), -ENOENT);
    assert_contains(err.text, "names no brick");
    brick_names_free(&bad);
}

static void a_group_is_scanned_for_what_is_asked(void **state)
{
    (void)state;
    static const struct brick one = {"1350m000", ""};
    const struct brick_names only = {&one, 1, NULL};
    CLEANUP(survey_close_ptr) struct survey *own = NULL, *runs = NULL, *named = NULL;
    CLEANUP(free_ptr) char(*groups)[GROUP_NAME_MAX] = NULL;
    size_t count;
    assert_int_equal(survey_open_unlisted(&own, root, NULL), 0);
    assert_int_equal(survey_open_unlisted(&runs, root, NULL), 0);
    assert_int_equal(survey_open_unlisted(&named, root, NULL), 0);
    assert_int_equal(survey_groups(own, NULL, &groups, &count, NULL), 0);
    assert_int_equal(count, 3);
    assert_string_equal(groups[0], "134");
    assert_int_equal(survey_scan(own, "134", SURVEY_OWN, NULL, NULL), 0);
    assert_int_equal(survey_scan(own, "135", SURVEY_OWN, NULL, NULL), 0);
    assert_int_equal(survey_scan(own, "359", SURVEY_OWN, NULL, NULL), 0); /* is not there */
    assert_int_equal(survey_scan(runs, "134", SURVEY_RUNS, NULL, NULL), 0);
    assert_int_equal(survey_scan(named, "135", SURVEY_OWN | SURVEY_RUNS, &only, NULL), 0);
    CLEANUP(free_ptr) char *a = listed(own);
    CLEANUP(free_ptr) char *b = listed(runs);
    CLEANUP(free_ptr) char *c = listed(named);
    assert_string_equal(a, "1349m000, 1350m000, 1351p000");
    assert_string_equal(b, "1349m000 more_skip_rs0, 1349m000 rs300");
    assert_string_equal(c, "1350m000");
    assert_false(survey_is_simulated(own, &one));
}

static void legacysims_runs_are_surveys_side_by_side(void **state)
{
    (void)state;
    static const char *const files[] = {
        "dr9/file0_rs0_skip0/coadd/135/1351p192/legacysurvey-1351p192-image-g.fits.fz",
        "dr9/file0_rs0_skip0/sim/135/injected-1351p192.fits",
        "dr9/file0_rs0_skip0/tractor/135/tractor-1351p192.fits",
        "dr9/file1_rs500_skip1/coadd/135/1351p192/x",
        "dr9/file0_rs0/coadd/136/1361p192/x",
        "dr9/merged/x",
    };
    const struct brick run = {"1351p192", "file0_rs0_skip0"};
    struct err err;
    CLEANUP(free_ptr) char *directory = path_join(root, "dr9");
    CLEANUP(survey_close_ptr) struct survey *survey = NULL;
    CLEANUP(free_ptr) char *plane = NULL, *catalogue = NULL, *truth = NULL;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        touch(files[i]);
    assert_int_equal(survey_open(&survey, directory, &err), 0);
    CLEANUP(free_ptr) char *text = listed(survey);
    assert_string_equal(text, "1351p192 file0_rs0_skip0, 1351p192 file1_rs500_skip1, 1361p192 file0_rs0");
    assert_int_equal(survey_find_plane(survey, &run, "image", 'g', &plane, &err), 0);
    assert_int_equal(survey_find_catalogue(survey, &run, &catalogue, &err), 0);
    assert_int_equal(survey_find_truth(survey, &run, &truth, &err), 0);
    assert_contains(plane, "/dr9/file0_rs0_skip0/coadd/135/1351p192/legacysurvey-1351p192-image-g.fits.fz");
    assert_contains(catalogue, "/dr9/file0_rs0_skip0/tractor/135/tractor-1351p192.fits");
    assert_contains(truth, "/dr9/file0_rs0_skip0/sim/135/injected-1351p192.fits");
    assert_true(survey_is_simulated(survey, NULL));
}

static void the_truth_of_obiwan_for_dr9_is_found_by_its_name(void **state)
{
    (void)state;
    const struct brick run = {"1351p192", "file0_rs0_skip0"};
    CLEANUP(free_ptr) char *directory = path_join(root, "obiwan_dr9");
    CLEANUP(survey_close_ptr) struct survey *survey = NULL;
    CLEANUP(free_ptr) char *truth = NULL;
    touch("obiwan_dr9/coadd/135/1351p192/file0_rs0_skip0/x");
    touch("obiwan_dr9/obiwan/135/1351p192/file0_rs0_skip0/randoms-1351p192.fits");
    assert_int_equal(survey_open(&survey, directory, NULL), 0);
    CLEANUP(free_ptr) char *text = listed(survey);
    assert_string_equal(text, "1351p192 file0_rs0_skip0");
    assert_int_equal(survey_find_truth(survey, &run, &truth, NULL), 0);
    assert_contains(truth, "/obiwan/135/1351p192/file0_rs0_skip0/randoms-1351p192.fits");
}

static void the_root_above_north_and_south_is_told_from_a_survey(void **state)
{
    (void)state;
    struct survey *survey = NULL;
    struct err err;
    CLEANUP(free_ptr) char *dr9 = path_join(root, "both");
    CLEANUP(free_ptr) char *dr10 = path_join(root, "dr10");
    touch("both/north/coadd/135/1350m000/x");
    touch("both/south/coadd/135/1350m000/x");
    touch("dr10/south/coadd/135/1350m000/x");
    assert_int_equal(survey_open_unlisted(&survey, dr9, &err), -EINVAL);
    assert_contains(err.text, "two surveys, north and south");
    assert_int_equal(survey_open_unlisted(&survey, dr10, &err), -EINVAL);
    assert_contains(err.text, "dr10/south");
    assert_null(survey);
}

static void a_folder_that_is_no_survey_is_named(void **state)
{
    (void)state;
    struct survey *survey = NULL;
    struct err err;
    CLEANUP(free_ptr) char *tractor = path_join(root, "tractor");
    assert_int_equal(survey_open(&survey, tractor, &err), -ENOENT);
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
        cmocka_unit_test(a_list_of_names_is_read_and_its_bad_lines_named),
        cmocka_unit_test(a_group_is_scanned_for_what_is_asked),
        cmocka_unit_test(legacysims_runs_are_surveys_side_by_side),
        cmocka_unit_test(the_truth_of_obiwan_for_dr9_is_found_by_its_name),
        cmocka_unit_test(the_root_above_north_and_south_is_told_from_a_survey),
        cmocka_unit_test(a_folder_that_is_no_survey_is_named),
        cmocka_unit_test(finders_take_each_ending_and_name_what_is_missing),
        cmocka_unit_test(writers_paths_are_where_finders_look),
    };
    return cmocka_run_group_tests(tests, make_survey, remove_survey);
}
