#include "common/str.h"
#include "daemon/worker/sky/wcs.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <math.h>

/* A header of 80-character cards from lines. */
static char *cards(const char *const *lines)
{
    char *header = calloc(1, 80 * 32 + 1);
    for (; *lines; lines++)
        snprintf(header + strlen(header), 81, "%-80s", *lines);
    return header;
}

static const char *const BRICK[] = {"CTYPE1  = 'RA---TAN'",
                                    "CTYPE2  = 'DEC--TAN'",
                                    "CRVAL1  = 135.0",
                                    "CRVAL2  = 0.0",
                                    "CRPIX1  = 1800.5",
                                    "CRPIX2  = 1800.5",
                                    "CD1_1   = -7.27777777777778E-05",
                                    "CD1_2   = 0.0",
                                    "CD2_1   = 0.0",
                                    "CD2_2   = 7.27777777777778E-05",
                                    "END",
                                    NULL};

static void pixels_count_from_zero(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *header = cards(BRICK);
    CLEANUP(wcs_close_ptr) struct wcs *wcs = NULL;
    double ra = 135, dec = 0, x, y;
    assert_int_equal(wcs_open(&wcs, header, "brick", NULL), 0);
    assert_int_equal(wcs_to_pixel(wcs, 1, &ra, &dec, &x, &y, NULL), 0);
    assert_near(x, 1799.5, 1e-9);
    assert_near(y, 1799.5, 1e-9);
    assert_near(wcs_pixscale(wcs), 0.262, 1e-12);
}

static void many_points_go_there_and_back(void **state)
{
    (void)state;
    enum { COUNT = 2500 }; /* more than two of its blocks */
    CLEANUP(free_ptr) char *header = cards(BRICK);
    CLEANUP(wcs_close_ptr) struct wcs *wcs = NULL;
    static double x[COUNT], y[COUNT], ra[COUNT], dec[COUNT], x2[COUNT], y2[COUNT];
    for (int i = 0; i < COUNT; i++) {
        x[i] = 1.44 * i;
        y[i] = 3600 - 1.3 * i;
    }
    assert_int_equal(wcs_open(&wcs, header, "brick", NULL), 0);
    assert_int_equal(wcs_to_sky(wcs, COUNT, x, y, ra, dec, NULL), 0);
    assert_int_equal(wcs_to_pixel(wcs, COUNT, ra, dec, x2, y2, NULL), 0);
    for (int i = 0; i < COUNT; i++) {
        assert_near(x2[i], x[i], 1e-7);
        assert_near(y2[i], y[i], 1e-7);
    }
}

static void a_point_behind_the_projection_is_nan_and_spoils_no_other(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *header = cards(BRICK);
    CLEANUP(wcs_close_ptr) struct wcs *wcs = NULL;
    double ra[] = {135, 315, 135}, dec[] = {0, 0, 0}, x[3], y[3];
    assert_int_equal(wcs_open(&wcs, header, "brick", NULL), 0);
    assert_int_equal(wcs_to_pixel(wcs, 3, ra, dec, x, y, NULL), 0);
    assert_near(x[0], 1799.5, 1e-9);
    assert_true(isnan(x[1]) && isnan(y[1]));
    assert_near(x[2], 1799.5, 1e-9);
}

static void axes_may_come_in_the_other_order(void **state)
{
    (void)state;
    static const char *const swapped[] = {"CTYPE1  = 'DEC--TAN'", "CTYPE2  = 'RA---TAN'", "CRVAL1  = 0.0",
                                          "CRVAL2  = 135.0",      "CRPIX1  = 11.0",       "CRPIX2  = 21.0",
                                          "CDELT1  = 1E-4",       "CDELT2  = -1E-4",      NULL};
    CLEANUP(free_ptr) char *header = cards(swapped);
    CLEANUP(wcs_close_ptr) struct wcs *wcs = NULL;
    double x = 10, y = 20, ra, dec;
    assert_int_equal(wcs_open(&wcs, header, "brick", NULL), 0);
    assert_int_equal(wcs_to_sky(wcs, 1, &x, &y, &ra, &dec, NULL), 0);
    assert_near(ra, 135, 1e-9);
    assert_near(dec, 0, 1e-9);
    assert_near(wcs_pixscale(wcs), 0.36, 1e-9);
}

static void a_header_without_sky_is_named(void **state)
{
    (void)state;
    static const char *const none[] = {"NAXIS   = 2", "NAXIS1  = 10", "NAXIS2  = 10", NULL};
    static const char *const linear[] = {"CTYPE1  = 'X'", "CTYPE2  = 'Y'", "CRPIX1  = 1.0", NULL};
    static const char *const flat[] = {"CTYPE1  = 'RA---TAN'", "CTYPE2  = 'DEC--TAN'", "CD1_1   = 0.0",
                                       "CD2_2   = 0.0", NULL};
    static const char *const *const headers[] = {none, linear, flat};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        CLEANUP(free_ptr) char *header = cards(headers[i]);
        struct wcs *wcs = NULL;
        struct err err = {0};
        assert_int_equal(wcs_open(&wcs, header, "bare.fits", &err), -EINVAL);
        assert_contains(err.text, "bare.fits");
        assert_null(wcs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_count_from_zero),
        cmocka_unit_test(many_points_go_there_and_back),
        cmocka_unit_test(a_point_behind_the_projection_is_nan_and_spoils_no_other),
        cmocka_unit_test(axes_may_come_in_the_other_order),
        cmocka_unit_test(a_header_without_sky_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
