#include "common/cleanup.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/output.h"
#include "daemon/trim.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { LIMIT = 4000, LINE = 10 }; /* "line 0001\n" */

static char *directory, *path;

/* A writer as workers are: it appends. */
static int open_writer(void)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC, 0600);
    CLEANUP(free_ptr) char *cut = str_format("%s.cut", path);
    unlink(cut);
    assert_true(fd >= 0);
    return fd;
}

static void write_lines(int fd, int from, int to)
{
    for (int i = from; i < to; i++)
        assert_int_equal(dprintf(fd, "line %04d\n", i), LINE);
}

static int64_t size_of(const char *name)
{
    struct stat status;
    assert_int_equal(stat(name, &status), 0);
    return status.st_size;
}

/* What a reader at an offset gets, and where it goes on. */
static void read_at(int64_t offset, int64_t limit, char **text, int64_t *next)
{
    bool at_end;
    assert_int_equal(output_chunk(path, offset, limit, text, next, &at_end, NULL), 0);
}

static void a_small_or_a_missing_file_stays(void **unused)
{
    (void)unused;
    int fd = open_writer();
    write_lines(fd, 0, 400);
    assert_int_equal(trim_file(path, LIMIT, NULL), 0);
    assert_int_equal(size_of(path), 4000);
    assert_int_equal(trim_file("/nonexistent/x", LIMIT, NULL), 0);
    assert_int_equal(trim_read(path).bytes, 0);
    close(fd);
}

static void head_and_tail_stay_at_whole_lines(void **unused)
{
    (void)unused;
    int fd = open_writer();
    write_lines(fd, 0, 1000);
    assert_int_equal(trim_file(path, LIMIT, NULL), 0);
    int64_t next;
    CLEANUP(free_ptr) char *text = NULL;
    read_at(0, 1 << 20, &text, &next);
    assert_true(strncmp(text, "line 0000\nline 0001\n", 20) == 0);
    assert_contains(text, "line 0099\n[decoyd left out 8010 bytes here]\nline 0901\n");
    assert_contains(text + strlen(text) - 10, "line 0999\n");
    assert_int_equal(next, 10000);
    assert_true(size_of(path) < LIMIT / 2 + 100);
    close(fd);
}

static void writer_and_readers_go_on_where_they_were(void **unused)
{
    (void)unused;
    int fd = open_writer();
    int64_t next;
    write_lines(fd, 0, 1000);
    for (int round = 1; round <= 5; round++) {
        int64_t end = 10000 * round;
        assert_int_equal(trim_file(path, LIMIT, NULL), 0);
        write_lines(fd, 1000 * round, 1000 * round + 1000);
        CLEANUP(free_ptr) char *follows = NULL;
        read_at(end, 20, &follows, &next); /* it had all before the cut */
        CLEANUP(free_ptr)
        char *expected = str_format("line %04d\nline %04d\n", 1000 * round, 1000 * round + 1);
        assert_string_equal(follows, expected);
        assert_int_equal(next, end + 20);
        CLEANUP(free_ptr) char *head = NULL;
        read_at(500, 20, &head, &next);
        assert_string_equal(head, "line 0050\nline 0051\n");
        CLEANUP(free_ptr)
        char *lost = NULL;
        read_at(end - 5000, 32, &lost, &next); /* what it wants is not there any more */
        assert_contains(lost, "[decoyd left out ");
    }
    CLEANUP(free_ptr) char *all = NULL;
    read_at(0, 1 << 20, &all, &next);
    const char *note = strstr(all, "[decoyd");
    assert_non_null(note);
    assert_null(strstr(note + 1, "[decoyd")); /* one note, and its number is the whole loss */
    assert_true(strncmp(note, "[decoyd left out 48010 bytes here]\nline 4901\n", 44) == 0);
    close(fd);
}

static void one_endless_line_is_cut_too(void **unused)
{
    (void)unused;
    int fd = open_writer(), i;
    for (i = 0; i < 1000; i++)
        assert_int_equal(write(fd, "0123456789", 10), 10);
    assert_int_equal(trim_file(path, LIMIT, NULL), 0);
    assert_true(size_of(path) < LIMIT);
    close(fd);
}

static void what_is_no_plain_file_is_left_alone(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *link = path_join(directory, "link");
    struct err err = {0};
    int fd = open_writer();
    write_lines(fd, 0, 1000);
    assert_int_equal(symlink(path, link), 0);
    assert_true(trim_file(link, LIMIT, &err) != 0);
    assert_contains(err.text, link);
    assert_int_equal(size_of(path), 10000);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_or_a_missing_file_stays),
        cmocka_unit_test(head_and_tail_stay_at_whole_lines),
        cmocka_unit_test(writer_and_readers_go_on_where_they_were),
        cmocka_unit_test(one_endless_line_is_cut_too),
        cmocka_unit_test(what_is_no_plain_file_is_left_alone),
    };
    directory = check_directory();
    path = path_join(directory, "stderr");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(path);
    free(directory);
    return failed;
}
