/* See output.h. The files are a worker's, so nothing in them is believed: sizes are bounded, text is cleaned.
 */
#include "daemon/output.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/trim.h"
#include "proto/json.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

enum { TAIL_MAX = 16384, RESULT_MAX = 256 << 10 };

static size_t read_tail(const char *path, char *tail, size_t size)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0)
        return 0;
    off_t from = status.st_size > (off_t)size ? status.st_size - (off_t)size : 0;
    ssize_t got = pread(fd, tail, size, from);
    return got > 0 ? (size_t)got : 0;
}

/* Where the text of a line of common/log.h begins ("TIME LEVEL: text", the level in *level); NULL when the
 * line is none. */
static const char *logged_text(const char *line, size_t length, const char **level)
{
    static const char *const LEVELS[] = {"Z error: ", "Z warning: ", "Z info: "};
    for (size_t i = 0; i < sizeof LEVELS / sizeof *LEVELS; i++) {
        const char *mark = memmem(line, length < 40 ? length : 40, LEVELS[i], strlen(LEVELS[i]));
        *level = LEVELS[i];
        if (mark)
            return mark + strlen(LEVELS[i]);
    }
    return NULL;
}

static bool says_nothing(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!strchr(" \t\r-=*", line[i]))
            return false;
    }
    return true;
}

/* Goes over the lines of tail: the last error wins over the last line that is no log line; a note is no
 * reason. */
static void pick_line(const char *tail, size_t size, char reason[JOB_REASON_MAX])
{
    bool found_error = false;
    for (size_t at = 0; at < size;) {
        const char *line = tail + at, *level;
        const char *end = memchr(line, '\n', size - at);
        size_t length = end ? (size_t)(end - line) : size - at;
        const char *text = logged_text(line, length, &level);
        bool error = text && strncmp(level, "Z error", 7) == 0;
        if (error)
            str_clean(reason, JOB_REASON_MAX, text, length - (size_t)(text - line));
        else if (!text && !found_error && !says_nothing(line, length))
            str_clean(reason, JOB_REASON_MAX, line, length);
        found_error |= error;
        at += length + 1;
    }
}

void output_reason(const char *directory, const struct job_exit *status, char reason[JOB_REASON_MAX])
{
    CLEANUP(free_ptr) char *path = path_join(directory, "stderr");
    char tail[TAIL_MAX];
    int number = status->signal         ? status->signal
                 : status->status > 128 ? status->status - 128
                                        : 0; /* mpirun's way */
    reason[0] = '\0';
    if (!number)
        pick_line(tail, read_tail(path, tail, sizeof tail), reason);
    if (*reason)
        return;
    if (number && sigabbrev_np(number))
        snprintf(reason, JOB_REASON_MAX, "the worker was ended by signal %d (%s)%s", number,
                 strsignal(number), number == SIGKILL ? ": by someone, or because memory ran out" : "");
    else
        snprintf(reason, JOB_REASON_MAX, "the worker ended with status %d and said nothing", status->status);
}

json_t *output_result(const char *directory, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "result.json");
    struct stat status;
    json_t *result = NULL;
    if (stat(path, &status) != 0)
        return NULL;
    if (status.st_size > RESULT_MAX) {
        err_set(err, -EFBIG, "%s has %lld bytes, more than the %d that are kept", path,
                (long long)status.st_size, RESULT_MAX);
        return NULL;
    }
    if (json_read_file(path, &result, err) != 0)
        return NULL;
    if (json_is_object(result))
        return result;
    err_set(err, -EINVAL, "%s is not a JSON object", path);
    json_decref(result);
    return NULL;
}

/* Bytes at the end of data that begin a character and do not finish it. */
static size_t unfinished(const char *data, size_t size)
{
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        unsigned char byte = (unsigned char)data[size - back];
        if (byte >= 0xc0)
            return (byte >= 0xf0 ? 4u : byte >= 0xe0 ? 3u : 2u) > back ? back : 0;
        if (byte < 0x80)
            break;
    }
    return 0;
}

/* JSON holds no stray bytes: each becomes '?'. Newlines and tabs stay. */
static char *clean_lines(const char *data, size_t size)
{
    char *text = malloc(size + 1);
    size_t used = 0;
    if (!text)
        abort();
    for (size_t at = 0; at < size;) {
        const char *end = memchr(data + at, '\n', size - at);
        size_t length = end ? (size_t)(end - data) - at : size - at;
        for (size_t done = 0; done < length;) { /* str_clean ends at a NUL */
            size_t piece = strnlen(data + at + done, length - done);
            str_clean(text + used, piece + 1, data + at + done, piece);
            used += strlen(text + used);
            done += piece;
            if (done < length) {
                text[used++] = '?';
                done++;
            }
        }
        if (end)
            text[used++] = '\n';
        at += length + 1;
    }
    text[used] = '\0';
    return text;
}

int output_chunk(const char *path, int64_t offset, int64_t limit, char **text, int64_t *next, bool *at_end,
                 struct err *err)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    struct cut cut = trim_read(path);
    if (fd < 0 || fstat(fd, &status) != 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    if (offset < 0)
        offset = offset < -status.st_size ? 0 : status.st_size + offset;
    else
        offset = trim_to_file(&cut, offset);
    CLEANUP(free_ptr) char *data = malloc((size_t)limit);
    ssize_t got = data ? pread(fd, data, (size_t)limit, offset) : -1;
    if (got < 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    size_t size = (size_t)got;
    if (offset + got < status.st_size)
        size -= unfinished(data, size);
    *text = clean_lines(data, size);
    *next = trim_from_file(&cut, offset + (int64_t)size);
    *at_end = offset + (int64_t)size >= status.st_size;
    return 0;
}
