/* With a path as argument: writes that cutout file, for test_cutout_file.py to read. */
#include "common/path.h"
#include "daemon/worker/dataset/cutout_file.h"
#include "daemon/worker/dataset/h5.h"
#include "tests/unit/check.h"

#include <errno.h>

enum { COUNT = 5, STAMP = 8, CHANNELS = 6, ROW = STAMP * STAMP * CHANNELS };

static const char *const NAMES[] = {"g", "ivar_g", "r", "ivar_r", "z", "ivar_z"};

static float pixel(size_t i)
{
    return (float)i * 0.5f - 7;
}

static int publish(const char *path, size_t count, struct err *err)
{
    static float images[COUNT * ROW];
    static const int64_t id[COUNT] = {10, 11, 12, 13, 1LL << 60};
    static const double ra[COUNT] = {1.25, 2, 3, 4, 359.5};
    static const float rhalf[COUNT] = {0.5f, 1, 1.5f, 2, 2.5f};
    for (size_t i = 0; i < COUNT * ROW; i++)
        images[i] = pixel(i);
    const struct cutout_column columns[] = {
        {"id", CUTOUT_INT64, 0, NULL, id},
        {"ra", CUTOUT_REAL64, 0, "deg", ra},
        {"rhalf", CUTOUT_REAL32, 0, "arcsec", rhalf},
        {"type", CUTOUT_TEXT, 4, NULL, "PSF\0REX\0EXP\0COMPSER\0"},
    };
    json_t *attributes =
        json_pack("{ss si s{ss}}", "compression", "RICE_1", "seed", 3, "sources", "image-g.fits.fz", "0123");
    int code = cutout_file_publish(path, images, count, STAMP, NAMES, CHANNELS, columns, 4, attributes, err);
    json_decref(attributes);
    return code;
}

static char *published(void)
{
    CLEANUP(free_ptr) char *directory = check_directory();
    char *path = path_join(directory, "a.h5");
    assert_int_equal(publish(path, COUNT, NULL), 0);
    return path;
}

static void cutout_file_reads_rows_and_columns_back(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *path = published();
    CLEANUP(cutout_file_close_ptr) struct cutout_file *file = NULL;
    const struct cutout_column *columns;
    size_t count;
    float images[2 * ROW];
    assert_int_equal(cutout_file_open(&file, path, NULL), 0);
    assert_int_equal(cutout_file_count(file), COUNT);
    assert_int_equal(cutout_file_stamp(file), STAMP);
    assert_int_equal(cutout_file_channels(file), CHANNELS);
    assert_string_equal(cutout_file_channel_name(file, 5), "ivar_z");
    assert_true(cutout_file_plain_offset(file) > 0);
    assert_int_equal(cutout_file_read_images(file, 3, 2, images, NULL), 0);
    for (size_t i = 0; i < 2 * ROW; i++)
        assert_true(images[i] == pixel(3 * ROW + i));
    for (int again = 0; again < 2; again++) {
        assert_int_equal(cutout_file_read_columns(file, &columns, &count, NULL), 0);
        assert_int_equal(count, 4);
    }
    assert_string_equal(columns[0].name, "id");
    assert_true(((const int64_t *)columns[0].values)[4] == 1LL << 60);
    assert_string_equal(columns[1].unit, "deg");
    assert_int_equal(columns[2].type, CUTOUT_REAL32);
    assert_int_equal(columns[3].width, 4);
    assert_string_equal(json_string_value(json_object_get(cutout_file_attributes(file), "compression")),
                        "RICE_1");
}

static void cutout_file_may_be_empty(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = path_join(directory, "a.h5");
    CLEANUP(cutout_file_close_ptr) struct cutout_file *file = NULL;
    const struct cutout_column *columns;
    size_t count;
    assert_int_equal(publish(path, 0, NULL), 0);
    assert_int_equal(cutout_file_open(&file, path, NULL), 0);
    assert_int_equal(cutout_file_count(file), 0);
    assert_int_equal(cutout_file_read_columns(file, &columns, &count, NULL), 0);
    assert_int_equal(count, 4);
}

static void cutout_file_refuses_rows_it_has_not(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *path = published();
    CLEANUP(cutout_file_close_ptr) struct cutout_file *file = NULL;
    struct err err;
    float images[2 * ROW];
    assert_int_equal(cutout_file_open(&file, path, NULL), 0);
    assert_int_equal(cutout_file_read_images(file, 4, 2, images, &err), -EINVAL);
    assert_contains(err.text, "5 stamps");
}

static void cutout_file_names_what_is_wrong(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = path_join(directory, "a.h5");
    const size_t sizes[] = {2, 8, 7, 6}, three = 3;
    float zeros[2 * 8 * 8 * 6] = {0};
    struct cutout_file *file;
    struct h5 *h5;
    struct err err;
    assert_int_equal(h5_create(&h5, path, NULL), 0);
    assert_int_equal(h5_write(h5, "picture", H5_TYPE_REAL32, 0, 4, sizes, zeros, NULL), 0);
    assert_int_equal(h5_publish(h5, NULL), 0);
    assert_int_equal(cutout_file_open(&file, path, &err), -ENOENT);
    assert_contains(err.text, "no dataset image");
    assert_int_equal(h5_create(&h5, path, NULL), 0);
    assert_int_equal(h5_write(h5, "image", H5_TYPE_REAL32, 0, 4, sizes, zeros, NULL), 0);
    assert_int_equal(h5_publish(h5, NULL), 0);
    assert_int_equal(cutout_file_open(&file, path, &err), -EINVAL);
    assert_contains(err.text, "square stamps");
    const size_t square[] = {2, 8, 8, 6};
    assert_int_equal(h5_create(&h5, path, NULL), 0);
    assert_int_equal(h5_write(h5, "image", H5_TYPE_REAL32, 0, 4, square, zeros, NULL), 0);
    json_t *names = json_pack("{s[ssssss]}", "channels", "g", "ivar_g", "r", "ivar_r", "z", "ivar_z");
    assert_int_equal(h5_write_attributes(h5, "image", names, NULL), 0);
    json_decref(names);
    assert_int_equal(h5_write(h5, "mag_g", H5_TYPE_REAL32, 0, 1, &three, zeros, NULL), 0);
    assert_int_equal(h5_publish(h5, NULL), 0);
    assert_int_equal(cutout_file_open(&file, path, &err), 0);
    const struct cutout_column *columns;
    size_t count;
    assert_int_equal(cutout_file_read_columns(file, &columns, &count, &err), -EINVAL);
    assert_contains(err.text, "mag_g");
    cutout_file_close(file);
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return publish(argv[1], COUNT, NULL) != 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cutout_file_reads_rows_and_columns_back),
        cmocka_unit_test(cutout_file_may_be_empty),
        cmocka_unit_test(cutout_file_refuses_rows_it_has_not),
        cmocka_unit_test(cutout_file_names_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
