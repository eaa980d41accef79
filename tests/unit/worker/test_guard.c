/* Must fail: a runner that calls this passed would call anything passed. */
#include "tests/unit/check.h"

static void this_fails(void **state)
{
    (void)state;
    assert_true(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(this_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
