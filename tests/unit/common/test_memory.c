#include "common/memory.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "tests/unit/check.h"

#include <sys/stat.h>

/* <root>/<path>, its directories made. */
static void put(const char *root, const char *path, const char *text)
{
    CLEANUP(free_ptr) char *whole = path_join(root, path);
    CLEANUP(free_ptr) char *folder = path_directory(whole);
    assert_int_equal(path_make_directories(folder, 0777, NULL), 0);
    assert_int_equal(file_publish(whole, text, strlen(text), NULL), 0);
}

static void memory_is_what_the_kernel_calls_available(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *root = check_directory();
    assert_true(memory_allowed_below(root) == INT64_MAX);
    put(root, "proc/meminfo", "MemTotal:       2000 kB\nMemFree:    500 kB\nMemAvailable:    1000 kB\n");
    assert_int_equal(memory_allowed_below(root), 1024000);
    put(root, "proc/self/cgroup", "0::/\n");
    assert_int_equal(memory_allowed_below(root), 1024000);
}

static void memory_is_limited_by_every_cgroup_above(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *root = check_directory();
    put(root, "proc/meminfo", "MemAvailable:    1000 kB\n");
    put(root, "proc/self/cgroup", "0::/job/step/task\n");
    put(root, "sys/fs/cgroup/job/step/task/memory.max", "max\n");
    put(root, "sys/fs/cgroup/job/step/memory.max", "800000\n");
    assert_int_equal(memory_allowed_below(root), 800000);
    put(root, "sys/fs/cgroup/job/memory.max", "700000\n");
    assert_int_equal(memory_allowed_below(root), 700000);
    put(root, "sys/fs/cgroup/job/step/task/memory.max", "600000\n");
    assert_int_equal(memory_allowed_below(root), 600000);
}

static void memory_knows_cgroups_of_version_1(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *root = check_directory();
    put(root, "proc/meminfo", "MemAvailable:    1000 kB\n");
    put(root, "proc/self/cgroup", "5:cpu:/other\n4:hugetlb,memory:/slurm/job_1\n0::/\n");
    put(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(root, "sys/fs/cgroup/memory/other/memory.limit_in_bytes", "1\n");
    put(root, "sys/fs/cgroup/memory/slurm/memory.limit_in_bytes", "500000\n");
    assert_int_equal(memory_allowed_below(root), 500000);
    put(root, "sys/fs/cgroup/memory/slurm/job_1/memory.limit_in_bytes", "400000\n");
    assert_int_equal(memory_allowed_below(root), 400000);
}

static void memory_of_this_host_is_known(void **state)
{
    (void)state;
    assert_in_range(memory_allowed(), 1 << 20, INT64_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_what_the_kernel_calls_available),
        cmocka_unit_test(memory_is_limited_by_every_cgroup_above),
        cmocka_unit_test(memory_knows_cgroups_of_version_1),
        cmocka_unit_test(memory_of_this_host_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
