#include "proto/directory.h"
#include "common/cleanup.h"
#include "tests/unit/check.h"

#include <errno.h>

static void the_state_directory_is_found_in_order(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *given = NULL, *named = NULL, *base = NULL, *home = NULL, *none = NULL;
    setenv("DECOY_STATE", "/named/", 1);
    setenv("XDG_STATE_HOME", "/base", 1);
    setenv("HOME", "/home/x", 1);
    assert_int_equal(directory_find("/given", &given, NULL), 0);
    assert_string_equal(given, "/given");
    assert_int_equal(directory_find(NULL, &named, NULL), 0);
    assert_string_equal(named, "/named");
    unsetenv("DECOY_STATE");
    assert_int_equal(directory_find(NULL, &base, NULL), 0);
    assert_string_equal(base, "/base/decoy");
    unsetenv("XDG_STATE_HOME");
    assert_int_equal(directory_find(NULL, &home, NULL), 0);
    assert_string_equal(home, "/home/x/.local/state/decoy");
    unsetenv("HOME");
    assert_int_equal(directory_find(NULL, &none, NULL), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_state_directory_is_found_in_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
