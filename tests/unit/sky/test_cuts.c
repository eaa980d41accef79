#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/sky/cuts.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <math.h>

#ifndef SHARED_DATA
#error "meson gives SHARED_DATA"
#endif

static const char *const KIDS3[] = {"134/tractor-1349m000", "135/tractor-1350m000", "135/tractor-1350p000"};
enum { KIDS3_SIDE_PX = 1300, HALF_STAMP_PX = 32 };

/* What a cuts file keeps of kids3: rows, those whose stamp lies inside, and how many of all rows have such. */
static void count_kids3(const char *preset, int *rows, int *selected, int *inside, int *all_inside)
{
    struct err err = {0};
    CLEANUP(free_ptr) char *path = str_format(DECOY_SOURCE_ETC "/cuts/%s.yaml", preset);
    CLEANUP(cuts_close_ptr) struct cuts *cuts = NULL;
    assert_int_equal(cuts_open(&cuts, path, &err), 0);
    *rows = *selected = *inside = *all_inside = 0;
    for (size_t b = 0; b < sizeof KIDS3 / sizeof *KIDS3; b++) {
        CLEANUP(free_ptr) char *file = str_format(SHARED_DATA "/kids3/tractor/%s.fits", KIDS3[b]);
        CLEANUP(catalogue_close_ptr) struct catalogue *catalogue = NULL;
        bool keep[2000];
        const double *x, *y;
        size_t left[100];
        assert_int_equal(catalogue_open(&catalogue, file, "grz", &err), 0);
        memcpy(keep, catalogue_usable(catalogue), catalogue_rows(catalogue));
        assert_int_equal(cuts_apply(cuts, catalogue, keep, left, &err), 0);
        catalogue_quantity(catalogue, "bx", &x, &err);
        catalogue_quantity(catalogue, "by", &y, &err);
        for (size_t i = 0; i < catalogue_rows(catalogue); i++) {
            int column = (int)x[i] - HALF_STAMP_PX, row = (int)y[i] - HALF_STAMP_PX,
                most = KIDS3_SIDE_PX - 2 * HALF_STAMP_PX;
            bool full = column >= 0 && row >= 0 && column <= most && row <= most;
            *selected += keep[i];
            *inside += keep[i] && full;
            *all_inside += full;
        }
        *rows += (int)catalogue_rows(catalogue);
    }
}

static void elg_keeps_414_of_2003_rows_of_kids3_and_374_of_1810_full_stamps(void **state)
{
    (void)state;
    int rows, selected, inside, all_inside;
    if (!path_is_directory(SHARED_DATA))
        skip();
    count_kids3("elg", &rows, &selected, &inside, &all_inside);
    assert_int_equal(rows, 2003);
    assert_int_equal(selected, 414);
    assert_int_equal(inside, 374);
    assert_int_equal(all_inside, 1810);
}

static void kids3_keeps_most_clean_sources(void **state)
{
    (void)state;
    int rows, selected, inside, all_inside;
    if (!path_is_directory(SHARED_DATA))
        skip();
    count_kids3("kids3", &rows, &selected, &inside, &all_inside);
    print_message("kids3.yaml keeps %d of %d rows, %d with a full stamp\n", selected, rows, inside);
    assert_true(inside > 1200 && inside <= 1516);
}

static int open_text(struct cuts **cuts, const char *text, struct err *err)
{
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = path_join(directory, "own.yaml");
    memset(err, 0, sizeof *err);
    assert_int_equal(file_publish(path, text, strlen(text), NULL), 0);
    int code = cuts_open(cuts, path, err);
    unlink(path);
    rmdir(directory);
    return code;
}

static void a_bad_file_is_named_with_its_cut_or_key(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } BAD[] = {
        {"cutz: []\n", "own.yaml: unknown key cutz"},
        {"description: nothing\n", "needs the key cuts"},
        {"cuts:\n  - flux_g > 0\n  - flux_r >\n", "cut 2 (flux_r >)"},
        {"cuts: ['g - r < ']\n", "expected a number or a quantity"},
        {"cuts: ['g r']\n", "expected <, <=, >, >= or =="},
        {"cuts: ['(g - r < 1']\n", "expected )"},
        {"cuts: ['3']\n", "expected a quantity"},
        {"cuts: [4]\n", "cut 1: expected a comparison"},
        {"cuts:\n  - type: {is: [PSF]}\n", "type takes {not"},
        {"cuts:\n  - type: {not: [LONGER]}\n", "at most 4 characters"},
        {"cuts:\n  - line: {x: r - z, y: g - r, slope: 1, intercept: 0, keep: left}\n", "below or above"},
        {"cuts:\n  - line: {x: r - z, y: g - r, slope: 1, intercept: 0, keep: below, padding: 1}\n",
         "no key padding"},
        {"cuts:\n  - line: {x: r - z, slope: 1, intercept: 0, keep: below}\n", "needs y"},
        {"cuts:\n  - maskbits: {none: [BRIGHT, BRIGHTER]}\n", "cut 1 (maskbits none BRIGHT, BRIGHTER)"},
        {"cuts:\n  - fitbits: {none: [BRIGHT]}\n", "a bit is a number from 0 to 62"},
        {"cuts:\n  - maskbits: {all: [1]}\n", "maskbits takes {none"},
        {"cuts:\n  - maskbits: {any: []}\n", "maskbits takes {none"},
        {"cuts: [\n", "own.yaml:"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct cuts *cuts = NULL;
        struct err err;
        assert_int_equal(open_text(&cuts, BAD[i].text, &err), -EINVAL);
        assert_null(cuts);
        assert_contains(err.text, BAD[i].words);
    }
}

static void an_unknown_quantity_is_named_with_cut_and_catalogue(void **state)
{
    (void)state;
    struct err err;
    bool keep[2000] = {false};
    CLEANUP(cuts_close_ptr) struct cuts *cuts = NULL;
    CLEANUP(catalogue_close_ptr) struct catalogue *catalogue = NULL;
    if (!path_is_directory(SHARED_DATA))
        skip();
    assert_int_equal(open_text(&cuts, "cuts:\n  - flux_g > 0\n  - fluks_r > 0\n", &err), 0);
    assert_int_equal(
        catalogue_open(&catalogue, SHARED_DATA "/kids3/tractor/134/tractor-1349m000.fits", "grz", &err), 0);
    assert_int_equal(cuts_apply(cuts, catalogue, keep, NULL, &err), -ENOENT);
    assert_contains(err.text, "cut 2 (fluks_r > 0)");
    assert_contains(err.text, "tractor-1349m000.fits has no column fluks_r");
}

/* The padding of the colour box, against the original's way to write it. */
static void a_line_is_padded_along_its_normal(void **state)
{
    (void)state;
    struct err err;
    CLEANUP(cuts_close_ptr) struct cuts *cuts = NULL;
    CLEANUP(catalogue_close_ptr) struct catalogue *catalogue = NULL;
    bool keep[2000];
    const double *g, *r, *z;
    if (!path_is_directory(SHARED_DATA))
        skip();
    assert_int_equal(
        open_text(
            &cuts,
            "cuts: [{line: {x: r - z, y: g - r, slope: -1.2, intercept: 1.6, keep: below, pad: 0.5}}]\n",
            &err),
        0);
    assert_int_equal(
        catalogue_open(&catalogue, SHARED_DATA "/kids3/tractor/134/tractor-1349m000.fits", "grz", &err), 0);
    memset(keep, true, sizeof keep);
    assert_int_equal(cuts_apply(cuts, catalogue, keep, NULL, &err), 0);
    catalogue_quantity(catalogue, "g", &g, &err);
    catalogue_quantity(catalogue, "r", &r, &err);
    catalogue_quantity(catalogue, "mag_z", &z, &err);
    double dx = 0.5 * sin(atan(1.2)), dy = 0.5 * cos(atan(1.2));
    for (size_t i = 0; i < catalogue_rows(catalogue); i++)
        assert_int_equal(keep[i], g[i] - r[i] <= -1.2 * (r[i] - z[i] - dx) + 1.6 + dy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elg_keeps_414_of_2003_rows_of_kids3_and_374_of_1810_full_stamps),
        cmocka_unit_test(kids3_keeps_most_clean_sources),
        cmocka_unit_test(a_bad_file_is_named_with_its_cut_or_key),
        cmocka_unit_test(an_unknown_quantity_is_named_with_cut_and_catalogue),
        cmocka_unit_test(a_line_is_padded_along_its_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
