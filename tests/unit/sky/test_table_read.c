#include "common/file.h"
#include "common/path.h"
#include "common/rng.h"
#include "daemon/worker/sky/table.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <fitsio.h>
#include <math.h>

enum { ROWS = 3, FLIPS = 400, HEADER_AT = 2880, HEADER_SIZE = 2880, STREAM_FLIPS = 1 };

static char *root, *path;

/* RA double, FLAG logical, TYPE text, VEC 2 floats, COUNT int with null -1, ODD of variable length, a name twice,
 * BIG unsigned 64 bits, HALF bytes that count halves. */
static int make_table(void **state)
{
    (void)state;
    const char *const names[] = {"RA",  "FLAG",  "TYPE",  "VEC", "COUNT",
                                 "ODD", "Twice", "TWICE", "BIG", "HALF"};
    const char *const forms[] = {"D", "L", "6A", "2E", "J", "1PJ", "E", "E", "K", "B"};
    const char *const types[] = {"PSF   ", "REX", ""};
    char flags[] = {1, 0, 1}, source[] = "a test";
    double ra[] = {10, NAN, 30}, halves[] = {0.5, 100, 1};
    unsigned long long big[] = {5, (1ull << 62) + 1, 1ull << 63};
    float vector[] = {1, 2, 3, 4, 5, 6};
    int counts[] = {7, -1, 9}, status = 0;
    fitsfile *file = NULL;
    root = check_directory();
    path = path_join(root, "table.fits");
    fits_create_diskfile(&file, path, &status);
    fits_create_tbl(file, BINARY_TBL, ROWS, sizeof names / sizeof *names, (char **)names, (char **)forms,
                    NULL, "T", &status);
    fits_write_key(file, TINT, "TNULL5", &(int){-1}, NULL, &status);
    fits_write_key(file, TULONGLONG, "TZERO9", &(unsigned long long){1ull << 63}, NULL, &status);
    fits_write_key(file, TFLOAT, "TSCAL10", &(float){0.5f}, NULL, &status);
    fits_write_key(file, TSTRING, "CATSRC", source, NULL, &status);
    fits_set_hdustruc(file, &status);
    fits_write_col(file, TDOUBLE, 1, 1, 1, ROWS, ra, &status);
    fits_write_col(file, TLOGICAL, 2, 1, 1, ROWS, flags, &status);
    fits_write_col(file, TSTRING, 3, 1, 1, ROWS, (void *)types, &status);
    fits_write_col(file, TFLOAT, 4, 1, 1, 2 * ROWS, vector, &status);
    fits_write_col(file, TINT, 5, 1, 1, ROWS, counts, &status);
    fits_write_col(file, TULONGLONG, 9, 1, 1, ROWS, big, &status);
    fits_write_col(file, TDOUBLE, 10, 1, 1, ROWS, halves, &status);
    fits_close_file(file, &status);
    return status;
}

static int remove_table(void **state)
{
    (void)state;
    unlink(path);
    free(path);
    int status = rmdir(root);
    free(root);
    return status;
}

static struct table *open_table(void)
{
    struct table *table = NULL;
    struct err err;
    assert_int_equal(table_open(&table, path, &err), 0);
    return table;
}

static void columns_are_found_without_regard_to_case(void **state)
{
    (void)state;
    CLEANUP(table_close_ptr) struct table *table = open_table();
    double ra[ROWS];
    assert_int_equal(table_rows(table), ROWS);
    assert_true(table_has(table, "ra") && table_has(table, "Ra") && !table_has(table, "dec"));
    assert_int_equal(table_read_reals(table, "ra", 0, ra, NULL), 0);
    assert_true(ra[0] == 10 && isnan(ra[1]) && ra[2] == 30);
    assert_string_equal(table_origin(table), "CATSRC=a test");
}

static void vectors_flags_and_nulls_come_as_numbers(void **state)
{
    (void)state;
    CLEANUP(table_close_ptr) struct table *table = open_table();
    double values[ROWS];
    int64_t ints[ROWS];
    assert_int_equal(table_read_reals(table, "vec", 1, values, NULL), 0);
    assert_true(values[0] == 2 && values[1] == 4 && values[2] == 6);
    assert_int_equal(table_read_reals(table, "flag", 0, values, NULL), 0);
    assert_true(values[0] == 1 && values[1] == 0 && values[2] == 1);
    assert_int_equal(table_read_ints(table, "flag", ints, NULL), 0);
    assert_true(ints[0] == 1 && ints[1] == 0 && ints[2] == 1);
    assert_int_equal(table_read_reals(table, "count", 0, values, NULL), 0);
    assert_true(values[0] == 7 && isnan(values[1]) && values[2] == 9);
    assert_int_equal(table_read_ints(table, "count", ints, NULL), 0);
    assert_int_equal(ints[2], 9);
}

static void scaled_and_unsigned_integers_are_exact_or_refused(void **state)
{
    (void)state;
    CLEANUP(table_close_ptr) struct table *table = open_table();
    double values[ROWS];
    int64_t ints[ROWS];
    struct err err;
    assert_int_equal(table_read_reals(table, "half", 0, values, NULL), 0);
    assert_true(values[0] == 0.5 && values[1] == 100 && values[2] == 1);
    assert_int_equal(table_read_reals(table, "big", 0, values, NULL), 0);
    assert_near(values[0], 5, 0);
    assert_near(values[2], 0x1p63, 0);
    assert_int_equal(table_read_ints(table, "big", ints, &err), -ERANGE);
    assert_contains(err.text, "column big of");
    assert_contains(err.text, "row 3");
    assert_true(ints[0] == 5 && ints[1] == (1ll << 62) + 1);
}

static void text_is_stripped_and_padded_with_nul(void **state)
{
    (void)state;
    CLEANUP(table_close_ptr) struct table *table = open_table();
    char types[ROWS * 4];
    struct err err;
    assert_int_equal(table_read_text(table, "type", 4, types, &err), 0);
    assert_memory_equal(types, "PSF\0REX\0\0\0\0\0", sizeof types);
    assert_int_equal(table_read_text(table, "type", 2, types, &err), -ERANGE);
    assert_contains(err.text, "column type of");
    assert_contains(err.text, "row 1");
}

static void what_cannot_be_read_is_named_with_file_and_column(void **state)
{
    (void)state;
    CLEANUP(table_close_ptr) struct table *table = open_table();
    struct table *none = NULL;
    double values[ROWS];
    char text[ROWS * 8];
    struct err err;
    assert_int_equal(table_read_reals(table, "flux_g", 0, values, &err), -ENOENT);
    assert_contains(err.text, "table.fits has no column flux_g");
    assert_int_equal(table_read_reals(table, "type", 0, values, &err), -EINVAL);
    assert_contains(err.text, "column type of");
    assert_int_equal(table_read_reals(table, "odd", 0, values, &err), -EINVAL);
    assert_int_equal(table_read_reals(table, "vec", 2, values, &err), -EINVAL);
    assert_contains(err.text, "none of index 2");
    assert_int_equal(table_read_reals(table, "twice", 0, values, &err), -EINVAL);
    assert_contains(err.text, "more than one column twice");
    assert_int_equal(table_read_text(table, "ra", 8, text, &err), -EINVAL);
    CLEANUP(free_ptr) char *missing = path_join(root, "none.fits");
    assert_int_equal(table_open(&none, missing, &err), -ENOENT);
    assert_contains(err.text, "none.fits");
}

static void read_all(const char *name)
{
    static const char *const columns[] = {"ra", "flag", "vec", "count", "odd", "twice", "big", "half"};
    CLEANUP(table_close_ptr) struct table *table = NULL;
    if (table_open(&table, name, NULL) != 0 || table_rows(table) > 1000)
        return;
    double values[1000];
    char types[1000 * 4];
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        table_read_reals(table, columns[i], 0, values, NULL);
    table_read_reals(table, "vec", 1, values, NULL);
    table_read_text(table, "type", 4, types, NULL);
}

static void damaged_headers_are_survived(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *bytes = NULL, *spoiled_path = path_join(root, "spoiled.fits");
    size_t size;
    assert_int_equal(file_read(path, 1 << 20, &bytes, &size, NULL), 0);
    for (uint64_t trial = 0; trial < FLIPS; trial++) {
        CLEANUP(free_ptr) char *spoiled = malloc(size);
        struct rng rng;
        rng_init(&rng, 1, STREAM_FLIPS, trial);
        memcpy(spoiled, bytes, size);
        for (int i = 0; i < 4; i++)
            spoiled[HEADER_AT + rng_below(&rng, HEADER_SIZE)] = "0123456789 -'=TPQEDAJ"[rng_below(&rng, 21)];
        FILE *stream = fopen(spoiled_path, "wb");
        assert_int_equal(fwrite(spoiled, 1, size, stream), size);
        fclose(stream);
        read_all(spoiled_path);
    }
    unlink(spoiled_path);
}

/* Taken for 0, a number of rows that is not told would lose all of a brick's galaxies without a word. */
static void a_table_that_tells_no_number_of_rows_is_refused(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *bytes = NULL, *spoiled_path = path_join(root, "spoiled.fits");
    struct table *table = NULL;
    struct err err;
    size_t size, at = HEADER_AT;
    assert_int_equal(file_read(path, 1 << 20, &bytes, &size, NULL), 0);
    while (at < HEADER_AT + HEADER_SIZE && memcmp(bytes + at, "NAXIS2  ", 8) != 0)
        at += 80;
    assert_in_range(at, HEADER_AT, HEADER_AT + HEADER_SIZE - 80);
    memcpy(bytes + at, "COMMENT   ", 10);
    assert_int_equal(file_publish(spoiled_path, bytes, size, NULL), 0);
    assert_int_equal(table_open(&table, spoiled_path, &err), -EINVAL);
    assert_contains(err.text, "NAXIS2 in HDU 2 is missing");
    unlink(spoiled_path);
}

static void a_table_cut_short_is_refused(void **state)
{
    (void)state;
    struct table *table = NULL;
    struct err err;
    assert_int_equal(truncate(path, 5760), 0);
    assert_int_equal(table_open(&table, path, &err), -EIO);
    assert_contains(err.text, "table.fits is cut short");
    assert_null(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_found_without_regard_to_case),
        cmocka_unit_test(vectors_flags_and_nulls_come_as_numbers),
        cmocka_unit_test(scaled_and_unsigned_integers_are_exact_or_refused),
        cmocka_unit_test(text_is_stripped_and_padded_with_nul),
        cmocka_unit_test(what_cannot_be_read_is_named_with_file_and_column),
        cmocka_unit_test(damaged_headers_are_survived),
        cmocka_unit_test(a_table_that_tells_no_number_of_rows_is_refused),
        cmocka_unit_test(a_table_cut_short_is_refused),
    };
    return cmocka_run_group_tests(tests, make_table, remove_table);
}
