#include "common/file.h"
#include "common/path.h"
#include "daemon/worker/sky/prior.h"
#include "daemon/worker/sky/table.h"
#include "tests/unit/check.h"

#include <math.h>

static char *directory;

static int make_directory(void **state)
{
    (void)state;
    directory = check_directory();
    return 0;
}

static int open_text(const char *text, struct prior **prior, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "prior.csv");
    assert_int_equal(file_publish(path, text, strlen(text), NULL), 0);
    *prior = NULL;
    return prior_open(prior, path, err);
}

static void assert_refused(const char *text, const char *place, const char *what)
{
    struct prior *prior;
    struct err err = {0};
    assert_int_not_equal(open_text(text, &prior, &err), 0);
    assert_contains(err.text, "prior.csv");
    assert_contains(err.text, place);
    assert_contains(err.text, what);
}

static void csv_rows_are_drawn_as_they_stand(void **state)
{
    (void)state;
    CLEANUP(prior_close_ptr) struct prior *prior = NULL;
    struct galaxy galaxy;
    struct rng rng;
    assert_int_equal(
        open_text("# a comment\nid,G,\"r\", z ,fwhm_or_rhalf,sersic,BA,pa,redshift\r\n"
                  "a-1,23.5,22.5,21.5,0.5,1.5,0.25,30,0.8\n\nb-2,23.5,22.5,21.5,0.5,1.5,0.25,30,0.9",
                  &prior, NULL),
        0);
    assert_int_equal(prior_rows(prior), 2);
    rng_init(&rng, 1, 2, 3);
    prior_draw(prior, &rng, &galaxy);
    assert_near(galaxy.mag[0], 23.5, 0);
    assert_near(galaxy.mag[2], 21.5, 0);
    assert_near(galaxy.rhalf_arcsec, 0.5, 0);
    assert_near(galaxy.n, 1.5, 0);
    assert_near(galaxy.ba, 0.25, 0);
    assert_near(galaxy.pa_deg, 30, 0);
}

static void shapes_that_lack_are_drawn(void **state)
{
    (void)state;
    CLEANUP(prior_close_ptr) struct prior *prior = NULL;
    struct galaxy one, other;
    struct rng rng;
    assert_int_equal(open_text("g,r,z,rhalf\n23,22,21,0.4\n", &prior, NULL), 0);
    rng_init(&rng, 1, 2, 3);
    prior_draw(prior, &rng, &one);
    prior_draw(prior, &rng, &other);
    assert_true(one.n != other.n && one.ba != other.ba && one.pa_deg != other.pa_deg);
}

static void bad_values_are_named_by_line_and_column(void **state)
{
    (void)state;
    assert_refused("g,r,z,rhalf\n23,22,21,0.4\n23,nan,21,0.4\n", ":3:", "r is 'nan'");
    assert_refused("g,r,z,rhalf\n23,22,21,-0.4\n", ":2:", "rhalf is -0.4");
    assert_refused("g,r,z,rhalf\n\n23,22,,0.4\n", ":3:", "no value for z");
    assert_refused("g,r,z,rhalf\n23,22\n", ":2:", "no value for z");
    assert_refused("g,r,z,rhalf\nx,22,21,0.4\n", ":2:", "no number");
    assert_refused("g,r,z,rhalf,n\n23,22,21,0.4,9\n", ":2:", "n is 9");
    assert_refused("g,r,z,rhalf\n0.6,22,21,0.4\n", ":2:", "g is 0.6, which is not within 5 to 40 mag");
    assert_refused("g;r;z;rhalf\n23;22;21;0.4\n", "first line", "with commas between");
    assert_refused("g,r,z\n23,22,21\n", "", "has no column rhalf");
    assert_refused("g,r,z,rhalf\n", "", "has no rows");
    assert_refused("", "", "is empty");
}

static void a_spreadsheets_mark_is_passed_over(void **state)
{
    (void)state;
    CLEANUP(prior_close_ptr) struct prior *prior = NULL;
    assert_int_equal(open_text("\xef\xbb\xbfg,r,z,rhalf\r\n23,22,21,0.4\r\n", &prior, NULL), 0);
    assert_int_equal(prior_rows(prior), 1);
}

static void bytes_that_are_no_table_are_refused(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *path = path_join(directory, "noise.fits");
    struct prior *prior = NULL;
    struct err err = {0};
    assert_int_equal(file_publish(path, "g,r\0\1\2\3", 7, NULL), 0);
    assert_int_not_equal(prior_open(&prior, path, &err), 0);
    assert_contains(err.text, "noise.fits is neither a FITS nor a CSV table");
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    struct prior *prior = NULL;
    struct err err = {0};
    assert_int_not_equal(prior_open(&prior, "/nowhere/prior.csv", &err), 0);
    assert_contains(err.text, "/nowhere/prior.csv");
}

static int publish_table(const char *path, const float *sizes)
{
    const float mags[2] = {23, 22};
    const struct table_column columns[] = {{"MAG_G", TABLE_REAL32, 0, "mag", mags},
                                           {"mag_r", TABLE_REAL32, 0, "mag", mags},
                                           {"mag_z", TABLE_REAL32, 0, "mag", mags},
                                           {"Shape_R", TABLE_REAL32, 0, "arcsec", sizes}};
    return table_publish(path, "PRIOR", 2, columns, 4, NULL, 0, NULL);
}

static void fits_tables_are_read_too(void **state)
{
    (void)state;
    CLEANUP(prior_close_ptr) struct prior *prior = NULL;
    CLEANUP(free_ptr) char *good = path_join(directory, "good.fits.gz");
    CLEANUP(free_ptr) char *bad = path_join(directory, "bad.fits");
    struct err err = {0};
    assert_int_equal(publish_table(good, (const float[]){0.25f, 0.25f}), 0);
    assert_int_equal(publish_table(bad, (const float[]){0.25f, NAN}), 0);
    assert_int_equal(prior_open(&prior, good, &err), 0);
    assert_int_equal(prior_rows(prior), 2);
    struct prior *none = NULL;
    assert_int_not_equal(prior_open(&none, bad, &err), 0);
    assert_contains(err.text, "bad.fits:2: shape_r is nan");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_rows_are_drawn_as_they_stand),
        cmocka_unit_test(shapes_that_lack_are_drawn),
        cmocka_unit_test(bad_values_are_named_by_line_and_column),
        cmocka_unit_test(a_spreadsheets_mark_is_passed_over),
        cmocka_unit_test(bytes_that_are_no_table_are_refused),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(fits_tables_are_read_too),
    };
    return cmocka_run_group_tests(tests, make_directory, NULL);
}
