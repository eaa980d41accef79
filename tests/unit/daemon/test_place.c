#include "common/path.h"
#include "common/str.h"
#include "daemon/place.h"
#include "tests/unit/check.h"
#include "common/cleanup.h"

#include <errno.h>
#include <sys/stat.h>

static void a_missing_directory_is_made_for_us_alone(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory(), *state = path_join(directory, "a/b");
    struct stat status;
    assert_int_equal(place_prepare(state, NULL), 0);
    assert_int_equal(stat(state, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(place_prepare(state, NULL), 0);
}

static void a_directory_that_is_not_safe_is_refused_with_a_sentence(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr)
    char *directory = check_directory(), *file = path_join(directory, "file"),
         *shared = path_join(directory, "open");
    CLEANUP(free_ptr) char *deep = str_format("%s/%0110d", directory, 7);
    struct err err = {0};
    fclose(fopen(file, "w"));
    assert_int_equal(place_prepare(file, &err), -ENOTDIR);
    assert_int_equal(mkdir(shared, 0700), 0);
    assert_int_equal(chmod(shared, 0750), 0);
    assert_int_equal(place_prepare(shared, &err), -EPERM);
    assert_contains(err.text, "chmod 700");
    assert_int_equal(place_prepare(deep, &err), -ENAMETOOLONG);
    assert_contains(err.text, "100 bytes");
    if (geteuid() == 0) {
        assert_int_equal(chmod(shared, 0700), 0);
        assert_int_equal(chown(shared, 12345, 12345), 0);
        assert_int_equal(place_prepare(shared, &err), -EPERM);
        assert_contains(err.text, "12345");
    }
}

static void the_lock_is_held_by_one_and_names_it(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory(), *pid = str_format("pid %d on here", (int)getpid());
    CLEANUP(close_fd) int first = -1, second = -1;
    struct err err = {0};
    assert_int_equal(place_lock(directory, "here", &first, &err), 0);
    assert_int_equal(place_lock(directory, "there", &second, &err), -EBUSY);
    assert_contains(err.text, pid);
    close_fd(&first);
    assert_int_equal(place_lock(directory, "there", &second, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_directory_is_made_for_us_alone),
        cmocka_unit_test(a_directory_that_is_not_safe_is_refused_with_a_sentence),
        cmocka_unit_test(the_lock_is_held_by_one_and_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
