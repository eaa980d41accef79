/* In which order file.c writes, syncs and renames, and what it does when one of these fails: the linker hands those calls to us. */
#include "common/file.h"
#include "common/path.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <sys/stat.h>

int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_close(int fd);
ssize_t __real_write(int fd, const void *data, size_t size);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_close(int fd);
ssize_t __wrap_write(int fd, const void *data, size_t size);

/* What was done, a letter each: s a file with all its bytes was synced, S a directory, r renamed. */
static struct {
    char steps[64];
    off_t whole;    /* the bytes that a synced file must have */
    int fail_at;    /* the number of the call that fails; 0: none */
    char fail_what; /* of these: s, S, r, c (close) */
    int calls;      /* of fail_what so far */
    bool halves;    /* write takes half of what it is given */
} disk;

static void note(char step)
{
    size_t length = strlen(disk.steps);
    if (length < sizeof disk.steps - 1)
        disk.steps[length] = step;
}

static bool fails(char what)
{
    if (what != disk.fail_what || ++disk.calls != disk.fail_at)
        return false;
    errno = EIO;
    return true;
}

int __wrap_fsync(int fd)
{
    struct stat status;
    bool directory = fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
    if (fails(directory ? 'S' : 's'))
        return -1;
    if (directory || status.st_size == disk.whole)
        note(directory ? 'S' : 's');
    return __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    if (fails('r'))
        return -1;
    note('r');
    return __real_rename(from, to);
}

int __wrap_close(int fd)
{
    bool failed = fails('c');
    int code = __real_close(fd);
    errno = failed ? EIO : errno;
    return failed ? -1 : code;
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    return __real_write(fd, data, disk.halves && size > 1 ? size / 2 : size);
}

static const char OLD[] = "what was there before", NEW[] = "what is to be there now, and is longer";

/* OLD is in a fresh directory's "a", and the disk then does as told. */
static char *prepare(char fail_what, int fail_at)
{
    CLEANUP(free_ptr) char *directory = check_directory();
    char *path = path_join(directory, "a");
    memset(&disk, 0, sizeof disk);
    assert_int_equal(file_publish(path, OLD, sizeof OLD, NULL), 0);
    memset(&disk, 0, sizeof disk);
    disk.whole = sizeof NEW;
    disk.fail_what = fail_what;
    disk.fail_at = fail_at;
    return path;
}

static void assert_holds(const char *path, const char *text, size_t length)
{
    CLEANUP(free_ptr) char *data = NULL;
    size_t size;
    disk.fail_at = 0;
    assert_int_equal(file_read(path, 1000, &data, &size, NULL), 0);
    assert_int_equal(size, length);
    assert_memory_equal(data, text, length);
}

static void a_whole_file_is_synced_then_renamed_then_its_directory_synced(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *path = prepare(0, 0);
    assert_int_equal(file_publish(path, NEW, sizeof NEW, NULL), 0);
    const char *renamed = strchr(disk.steps, 'r');
    assert_non_null(renamed);
    assert_true(renamed > disk.steps && renamed[-1] == 's');
    assert_string_equal(renamed, "rS");
    assert_holds(path, NEW, sizeof NEW);
}

static void what_fails_before_the_rename_leaves_the_old_file_and_nothing_else(void **state)
{
    /* Both syncs count: an error of writing back is told to the descriptor that wrote, and a library may have put another file in its place. */
    static const struct {
        char what;
        int at;
    } FAILURES[] = {{'s', 1}, {'s', 2}, {'c', 1}, {'r', 1}};
    (void)state;
    for (size_t i = 0; i < sizeof FAILURES / sizeof *FAILURES; i++) {
        struct err err = {0};
        CLEANUP(free_ptr) char *path = prepare(FAILURES[i].what, FAILURES[i].at);
        CLEANUP(free_ptr) char *directory = path_directory(path);
        assert_int_equal(file_publish(path, NEW, sizeof NEW, &err), -EIO);
        assert_contains(err.text, path);
        assert_holds(path, OLD, sizeof OLD);
        unlink(path);
        assert_int_equal(rmdir(directory), 0);
    }
}

static void a_failed_sync_of_the_directory_is_told(void **state)
{
    struct err err = {0};
    (void)state;
    CLEANUP(free_ptr) char *path = prepare('S', 1);
    assert_int_equal(file_publish(path, NEW, sizeof NEW, &err), -EIO);
    assert_contains(err.text, path);
    assert_holds(path, NEW, sizeof NEW);
}

static void short_writes_are_gone_on_with(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *path = prepare(0, 0);
    disk.halves = true;
    assert_int_equal(file_publish(path, NEW, sizeof NEW, NULL), 0);
    disk.halves = false;
    assert_holds(path, NEW, sizeof NEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_is_synced_then_renamed_then_its_directory_synced),
        cmocka_unit_test(what_fails_before_the_rename_leaves_the_old_file_and_nothing_else),
        cmocka_unit_test(a_failed_sync_of_the_directory_is_told),
        cmocka_unit_test(short_writes_are_gone_on_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
