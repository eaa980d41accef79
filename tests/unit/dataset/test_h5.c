#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/h5.h"
#include "tests/unit/check.h"

#include <errno.h>

static const int64_t INTS[] = {-1, 2, INT64_MAX};
static const double REALS[] = {1.5, -2.25, 1e300};
static const float FLOATS[] = {1, 2, 3, 4, 5, 6};

static char *make_file(const char *name)
{
    CLEANUP(free_ptr) char *directory = check_directory();
    char *path = path_join(directory, name);
    struct h5 *file;
    const size_t three = 3, matrix[] = {3, 2};
    assert_int_equal(h5_create(&file, path, NULL), 0);
    assert_false(path_exists(path));
    assert_int_equal(h5_write(file, "ints", H5_TYPE_INT64, 0, 1, &three, INTS, NULL), 0);
    assert_int_equal(h5_write(file, "group/reals", H5_TYPE_REAL64, 0, 1, &three, REALS, NULL), 0);
    assert_int_equal(h5_write(file, "group/deep/floats", H5_TYPE_REAL32, 0, 2, matrix, FLOATS, NULL), 0);
    assert_int_equal(h5_write(file, "texts", H5_TYPE_TEXT, 4, 1, &three, "abcdEXP\0\0\0\0\0", NULL), 0);
    assert_int_equal(h5_publish(file, NULL), 0);
    return path;
}

static void h5_reads_what_it_wrote(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *path = make_file("a.h5");
    CLEANUP(h5_close_ptr) struct h5 *file = NULL;
    int64_t ints[3];
    double reals[6];
    char texts[3][6];
    assert_int_equal(h5_open(&file, path, NULL), 0);
    assert_int_equal(h5_read(file, "ints", H5_TYPE_INT64, 0, 3, ints, NULL), 0);
    assert_memory_equal(ints, INTS, sizeof INTS);
    assert_int_equal(h5_read(file, "group/reals", H5_TYPE_REAL64, 0, 3, reals, NULL), 0);
    assert_memory_equal(reals, REALS, sizeof REALS);
    assert_int_equal(h5_read(file, "group/deep/floats", H5_TYPE_REAL64, 0, 6, reals, NULL), 0);
    assert_true(reals[5] == 6);
    assert_int_equal(h5_read(file, "texts", H5_TYPE_TEXT, 6, 3, texts, NULL), 0);
    assert_string_equal(texts[0], "abcd");
    assert_string_equal(texts[1], "EXP");
    assert_string_equal(texts[2], "");
}

static void h5_rows_are_read_and_written_in_pieces(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = path_join(directory, "a.h5");
    struct h5 *file;
    const size_t sizes[] = {3, 2};
    float rows[4];
    assert_int_equal(h5_create(&file, path, NULL), 0);
    assert_int_equal(h5_make(file, "x", H5_TYPE_REAL32, 0, 2, sizes, NULL), 0);
    assert_int_equal(h5_write_rows(file, "x", 2, 1, FLOATS + 4, NULL), 0);
    assert_int_equal(h5_write_rows(file, "x", 0, 2, FLOATS, NULL), 0);
    assert_int_equal(h5_publish(file, NULL), 0);
    assert_int_equal(h5_open(&file, path, NULL), 0);
    assert_int_equal(h5_read_rows(file, "x", H5_TYPE_REAL32, 0, 1, 2, rows, NULL), 0);
    assert_memory_equal(rows, FLOATS + 2, sizeof rows);
    assert_true(h5_plain_offset(file, "x") > 0);
    assert_int_equal(h5_plain_offset(file, "nothing"), -1);
    h5_close(file);
}

static void h5_attributes_survive(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = path_join(directory, "a.h5");
    CLEANUP(free_ptr) char *long_text = calloc(1, 100001);
    memset(long_text, 'x', 100000);
    struct h5 *file;
    json_t *read, *wrote = json_pack("{ss si sf sb s[ss] s[ii] s{s[i]} s[] ss ss}", "text", "25 \xc2\xb5m",
                                     "int", 7, "real", 0.25, "bool", 1, "names", "g", "ivar_g", "list", 1, 2,
                                     "nested", "a", 5, "empty", "long", long_text, "nothing", "");
    assert_int_equal(h5_create(&file, path, NULL), 0);
    assert_int_equal(h5_write_attributes(file, "/", wrote, NULL), 0);
    assert_int_equal(h5_publish(file, NULL), 0);
    assert_int_equal(h5_open(&file, path, NULL), 0);
    assert_int_equal(h5_read_attributes(file, "/", &read, NULL), 0);
    json_object_set_new(wrote, "bool", json_integer(1));
    assert_true(json_equal(read, wrote));
    json_decref(read);
    json_decref(wrote);
    h5_close(file);
}

static void h5_writes_the_same_bytes_twice(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *first = make_file("a.h5");
    sleep(1); /* a time stamp would show */
    CLEANUP(free_ptr) char *second = make_file("b.h5");
    uint64_t one, two;
    assert_int_equal(file_checksum(first, &one, NULL), 0);
    assert_int_equal(file_checksum(second, &two, NULL), 0);
    assert_true(one == two);
}

static void h5_names_lists_datasets_only(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *path = make_file("a.h5");
    CLEANUP(h5_close_ptr) struct h5 *file = NULL;
    CLEANUP(free_ptr) char **names = NULL;
    size_t count;
    assert_int_equal(h5_open(&file, path, NULL), 0);
    assert_int_equal(h5_names(file, "/", &names, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "ints");
    assert_string_equal(names[1], "texts");
    assert_null(names[2]);
}

static void h5_errors_name_file_and_dataset(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *path = make_file("a.h5");
    CLEANUP(h5_close_ptr) struct h5 *file = NULL;
    struct h5 *none;
    struct err err;
    int64_t ints[3];
    assert_int_equal(h5_open(&none, "/nonexistent/a.h5", &err), -ENOENT);
    assert_contains(err.text, "/nonexistent/a.h5");
    assert_int_equal(h5_open(&file, path, NULL), 0);
    assert_int_equal(h5_read(file, "absent", H5_TYPE_INT64, 0, 3, ints, &err), -ENOENT);
    assert_contains(err.text, "absent");
    assert_int_equal(h5_read(file, "ints", H5_TYPE_INT64, 0, 2, ints, &err), -EINVAL);
    assert_contains(err.text, "3 items instead of 2");
    assert_int_equal(h5_read(file, "texts", H5_TYPE_INT64, 0, 3, ints, &err), -EINVAL);
    assert_int_equal(h5_read_rows(file, "ints", H5_TYPE_INT64, 0, 2, 2, ints, &err), -EINVAL);
}

static void h5_refuses_a_file_cut_short_at_any_length(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *path = make_file("a.h5");
    CLEANUP(free_ptr) char *data = NULL;
    size_t size;
    assert_int_equal(file_read(path, 1 << 20, &data, &size, NULL), 0);
    for (size_t keep = 0; keep < size; keep += 97) {
        struct h5 *file;
        struct err err;
        assert_int_equal(truncate(path, (off_t)keep), 0);
        assert_true(h5_open(&file, path, &err) < 0);
        assert_contains(err.text, path);
    }
}

static void h5_close_throws_an_unpublished_file_away(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = path_join(directory, "a.h5");
    struct h5 *file;
    const size_t three = 3;
    assert_int_equal(h5_create(&file, path, NULL), 0);
    assert_int_equal(h5_write(file, "ints", H5_TYPE_INT64, 0, 1, &three, INTS, NULL), 0);
    h5_close(file);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h5_reads_what_it_wrote),
        cmocka_unit_test(h5_rows_are_read_and_written_in_pieces),
        cmocka_unit_test(h5_attributes_survive),
        cmocka_unit_test(h5_writes_the_same_bytes_twice),
        cmocka_unit_test(h5_names_lists_datasets_only),
        cmocka_unit_test(h5_errors_name_file_and_dataset),
        cmocka_unit_test(h5_refuses_a_file_cut_short_at_any_length),
        cmocka_unit_test(h5_close_throws_an_unpublished_file_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
