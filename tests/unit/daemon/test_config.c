#include "common/cleanup.h"
#include "common/file.h"
#include "common/path.h"
#include "daemon/config.h"
#include "tests/unit/check.h"

#include <errno.h>

static void write_file(const char *directory, const char *text)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "decoyd.yaml");
    assert_int_equal(file_publish(path, text, strlen(text), NULL), 0);
}

static void flags_come_before_the_environment_before_the_file(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct config config;
    json_t *none = json_object(), *flags = json_pack("{si}", "slots", 5);
    unsetenv("DECOY_SLOTS");
    unsetenv("DECOY_GRACE");
    assert_int_equal(config_read(&config, none, directory, NULL), 0);
    assert_int_equal(config.slots, 0);
    assert_near(config.grace_s, 10, 0);
    assert_near(config.keep_days, 0, 0);
    write_file(directory, "slots: 3\ngrace: 2m\nkeep_days: 30\n");
    assert_int_equal(config_read(&config, none, directory, NULL), 0);
    assert_int_equal(config.slots, 3);
    assert_near(config.grace_s, 120, 0);
    assert_near(config.keep_days, 30, 0);
    setenv("DECOY_SLOTS", "4", 1);
    setenv("DECOY_GRACE", "7", 1);
    assert_int_equal(config_read(&config, none, directory, NULL), 0);
    assert_int_equal(config.slots, 4);
    assert_near(config.grace_s, 7, 0);
    assert_int_equal(config_read(&config, flags, directory, NULL), 0);
    assert_int_equal(config.slots, 5);
    json_decref(none);
    json_decref(flags);
    unsetenv("DECOY_SLOTS");
    unsetenv("DECOY_GRACE");
}

static void a_bad_value_is_refused_with_the_place_it_stands_in(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct config config;
    struct err err = {0};
    json_t *none = json_object();
    static const char *const BAD[] = {"0", "-1", "many", "1e9", "99999999"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        setenv("DECOY_SLOTS", BAD[i], 1);
        assert_int_equal(config_read(&config, none, directory, &err), -EINVAL);
        assert_contains(err.text, "DECOY_SLOTS");
    }
    unsetenv("DECOY_SLOTS");
    write_file(directory, "slot: 3\n");
    assert_int_equal(config_read(&config, none, directory, &err), -EINVAL);
    assert_contains(err.text, "decoyd.yaml");
    assert_contains(err.text, "did you mean slots");
    json_decref(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_come_before_the_environment_before_the_file),
        cmocka_unit_test(a_bad_value_is_refused_with_the_place_it_stands_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
