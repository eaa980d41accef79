#include "common/file.h"
#include "common/path.h"
#include "tests/unit/check.h"

#include <errno.h>

static void file_publish_replaces_the_whole(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = path_join(directory, "a");
    CLEANUP(free_ptr) char *data = NULL;
    size_t size;
    assert_int_equal(file_publish(path, "first version", 13, NULL), 0);
    assert_int_equal(file_publish(path, "second", 6, NULL), 0);
    assert_int_equal(file_read(path, 100, &data, &size, NULL), 0);
    assert_int_equal(size, 6);
    assert_string_equal(data, "second");
}

static void outfile_discard_leaves_nothing(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = path_join(directory, "a");
    struct outfile *file;
    assert_int_equal(outfile_open(&file, path, NULL), 0);
    outfile_discard(file);
    assert_int_equal(rmdir(directory), 0);
}

static void file_errors_name_the_path(void **state)
{
    (void)state;
    struct err err;
    char *directory = check_directory(), *path = path_join(directory, "absent/x"), *data;
    size_t size;
    assert_int_equal(file_publish(path, "", 0, &err), -ENOENT);
    assert_contains(err.text, "/absent");
    assert_int_equal(file_read(path, 1, &data, &size, &err), -ENOENT);
    assert_contains(err.text, path);
    assert_int_equal(rmdir(directory), 0);
    free(path);
    free(directory);
}

static void file_read_refuses_more_than_its_limit(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = path_join(directory, "a");
    char *data;
    size_t size;
    assert_int_equal(file_publish(path, "12345", 5, NULL), 0);
    assert_int_equal(file_read(path, 4, &data, &size, NULL), -EFBIG);
}

static void file_checksum_is_xxh3(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = path_join(directory, "a");
    uint64_t checksum;
    assert_int_equal(file_publish(path, "", 0, NULL), 0);
    assert_int_equal(file_checksum(path, &checksum, NULL), 0);
    assert_true(checksum == 0x2d06800538d394c2u); /* XXH3-64 of nothing, as xxHash's specification gives it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_publish_replaces_the_whole), cmocka_unit_test(outfile_discard_leaves_nothing),
        cmocka_unit_test(file_errors_name_the_path),       cmocka_unit_test(file_read_refuses_more_than_its_limit),
        cmocka_unit_test(file_checksum_is_xxh3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
