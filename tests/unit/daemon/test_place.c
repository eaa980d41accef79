#include "common/path.h"
#include "common/str.h"
#include "daemon/place.h"
#include "tests/unit/check.h"
#include "common/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* A process that tries for the lock and answers with its exit status: 0 locked, 1 busy and named, 2 neither. */
static int try_elsewhere(const char *directory, const char *owner)
{
    int status, fd = -1;
    struct err err = {0};
    pid_t pid = fork();
    if (pid == 0) {
        int code = place_lock(directory, "there", &fd, &err);
        _exit(code == 0 ? 0 : code == -EBUSY && strstr(err.text, owner) ? 1 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void the_lock_is_held_by_one_and_names_it(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr)
    char *directory = check_directory(),
         *owner = str_format("pid %d on here", (int)getpid());
    CLEANUP(close_fd) int fd = -1;
    assert_int_equal(place_lock(directory, "here", &fd, NULL), 0);
    assert_int_equal(try_elsewhere(directory, owner), 1);
    close_fd(&fd);
    assert_int_equal(try_elsewhere(directory, owner), 0);
}

/* As when decoyd is killed between the fork and the exec of a worker. */
static void a_child_does_not_hold_the_lock_of_a_dead_process(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory();
    int ends[2], fd = -1, status;
    assert_int_equal(pipe(ends), 0);
    pid_t locker = fork();
    if (locker == 0) {
        int code = place_lock(directory, "here", &fd, NULL);
        pid_t child = code == 0 ? fork() : -1;
        if (child == 0)
            pause();
        _exit(write(ends[1], &child, sizeof child) == sizeof child ? 0 : 1);
    }
    pid_t child = -1;
    assert_int_equal(waitpid(locker, &status, 0), locker);
    assert_int_equal(read(ends[0], &child, sizeof child), (long)sizeof child);
    assert_true(child > 0);
    int outcome = try_elsewhere(directory, "");
    kill(child, SIGKILL);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(outcome, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_directory_is_made_for_us_alone),
        cmocka_unit_test(a_directory_that_is_not_safe_is_refused_with_a_sentence),
        cmocka_unit_test(the_lock_is_held_by_one_and_names_it),
        cmocka_unit_test(a_child_does_not_hold_the_lock_of_a_dead_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
