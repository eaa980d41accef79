#include "daemon/worker/segments.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 4096, AGE_S = 600 };

static char *make(const char *directory, const char *name, int age_s)
{
    char *path = path_join(directory, name);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, SIZE), 0);
    struct timespec then = {time(NULL) - age_s, 0};
    assert_int_equal(futimens(fd, (struct timespec[]){then, then}), 0);
    close(fd);
    return path;
}

/* A process that has the file mapped, once it says so. */
static pid_t hold(const char *path)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = open(path, O_RDWR);
        if (mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void what_killed_ranks_left_is_removed_and_nothing_else(void **state)
{
    (void)state;
    char directory[] = "/tmp/decoy-segments-XXXXXX";
    assert_non_null(mkdtemp(directory));
    CLEANUP(free_ptr) char *dead = make(directory, "vader_segment.n1.0.a1.1", AGE_S + 60);
    CLEANUP(free_ptr) char *held = make(directory, "vader_segment.n1.0.a1.11", AGE_S + 60);
    CLEANUP(free_ptr) char *fresh = make(directory, "vader_segment.n1.0.a2.0", AGE_S - 60);
    CLEANUP(free_ptr) char *other = make(directory, "other_segment.n1.0.a1.1", AGE_S + 60);
    pid_t holder = hold(held);
    assert_int_equal(segments_sweep(directory, AGE_S), 1);
    assert_false(path_exists(dead));
    assert_true(path_exists(held) && path_exists(fresh) && path_exists(other));
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    assert_int_equal(segments_sweep(directory, AGE_S), 1);
    assert_false(path_exists(held));
    unlink(fresh);
    unlink(other);
    assert_int_equal(rmdir(directory), 0);
    assert_int_equal(segments_sweep(directory, AGE_S), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_killed_ranks_left_is_removed_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
