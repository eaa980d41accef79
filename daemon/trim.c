/* See trim.h. FILE.cut is "HEAD BYTES\n". */
#include "daemon/trim.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CUT_FILE_MAX = 64, NOTE_MAX = 128 };

struct cut trim_read(const char *path)
{
    CLEANUP(free_ptr) char *file = str_format("%s.cut", path), *text = NULL;
    size_t size;
    long long head = 0, bytes = 0;
    bool good = file_read(file, CUT_FILE_MAX, &text, &size, NULL) == 0 &&
                sscanf(text, "%lld %lld", &head, &bytes) == 2;
    return good && head >= 0 && bytes >= 0 ? (struct cut){head, bytes} : (struct cut){0};
}

static int write_cut(const char *path, const struct cut *cut, struct err *err)
{
    CLEANUP(free_ptr) char *file = str_format("%s.cut", path);
    CLEANUP(free_ptr) char *text = str_format("%lld %lld\n", (long long)cut->head, (long long)cut->bytes);
    return file_publish(file, text, strlen(text), err);
}

int64_t trim_to_file(const struct cut *cut, int64_t offset)
{
    if (offset <= cut->head)
        return offset;
    return offset < cut->head + cut->bytes ? cut->head : offset - cut->bytes;
}

int64_t trim_from_file(const struct cut *cut, int64_t offset)
{
    return offset > cut->head ? offset + cut->bytes : offset;
}

/* Up to `room` bytes from offset on, until the end of what is there now; their number, or -errno. */
static ssize_t read_from(int fd, int64_t offset, char *data, size_t room)
{
    size_t used = 0;
    while (used < room) {
        ssize_t got = pread(fd, data + used, room - used, offset + (int64_t)used);
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            break;
        used += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)used;
}

/* After the last whole line of data. */
static size_t whole_lines(const char *data, size_t size)
{
    const char *end = memrchr(data, '\n', size);
    return end ? (size_t)(end + 1 - data) : size;
}

/* Where the first whole line begins. */
static size_t next_line(const char *data, size_t size)
{
    const char *end = memchr(data, '\n', size);
    return end && end + 1 < data + size ? (size_t)(end + 1 - data) : 0;
}

/* The file becomes head, note, tail; all that is kept of it is in memory before it is cut. */
static int cut_open(int fd, const char *path, int64_t size, int64_t limit, struct err *err)
{
    size_t part = (size_t)limit / 4, room = 2 * part;
    CLEANUP(free_ptr) char *data = malloc(room);
    struct cut cut = trim_read(path);
    char note[NOTE_MAX];
    ssize_t got = data ? read_from(fd, 0, data, part) : -ENOMEM;
    int64_t head = got < 0 ? 0 : cut.bytes ? cut.head : (int64_t)whole_lines(data, (size_t)got);
    int64_t from = size - (int64_t)part;
    got = got < 0 ? got : read_from(fd, from, data, room);
    if (got < 0)
        return err_set(err, (int)got, "cannot read %s: %s", path, strerror((int)-got));
    size_t skip = next_line(data, (size_t)got);
    int64_t tail = trim_from_file(&cut, from + (int64_t)skip); /* as if nothing had been cut */
    int length = snprintf(note, sizeof note, "[decoyd left out %lld bytes here]\n", (long long)(tail - head));
    cut = (struct cut){head, tail - head - length};
    int code = write_cut(path, &cut, err);
    if (code)
        return code;
    code = ftruncate(fd, head) != 0 ? -errno : file_write_all(fd, note, (size_t)length);
    if (!code)
        code = file_write_all(fd, data + skip, (size_t)got - skip);
    return code ? err_set(err, code, "cannot shorten %s: %s", path, strerror(-code)) : 0;
}

int trim_file(const char *path, int64_t limit, struct err *err)
{
    CLEANUP(close_fd) int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &status) != 0)
        return err_set(err, -errno, "cannot look at %s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode) || status.st_size <= limit)
        return 0;
    return cut_open(fd, path, status.st_size, limit, err);
}
