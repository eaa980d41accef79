#include "common/err.h"
#include "tests/unit/check.h"

#include <errno.h>

static void a_sentence_is_one_line_of_utf8_whatever_it_quotes(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, -EINVAL, "%s has no column", "a\n\xff\x1b.fits"), -EINVAL);
    assert_string_equal(err.text, "a???.fits has no column");
    assert_int_equal(err_prefix(&err, "cut %s", "\xc3"), -EINVAL);
    assert_string_equal(err.text, "cut ?: a???.fits has no column");
}

static void a_long_sentence_is_cut_at_a_character(void **state)
{
    (void)state;
    struct err err = {0};
    char path[ERR_TEXT_MAX + 3];
    memset(path, 'a', sizeof path);
    memcpy(path + ERR_TEXT_MAX - 2, "\xc3\xa9", 3);
    err_set(&err, -EIO, "%s", path);
    assert_string_equal(err.text + ERR_TEXT_MAX - 3, "a?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sentence_is_one_line_of_utf8_whatever_it_quotes),
        cmocka_unit_test(a_long_sentence_is_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
