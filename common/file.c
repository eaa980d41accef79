/* See file.h. Temporary names are ".NAME.PID-N.part": a leading dot keeps them out of globs, and
 * whoever finds one may delete it when its process is gone. */
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct outfile {
    char *path;
    char *temporary;
    int fd;
};

static void outfile_free(struct outfile *file)
{
    close_fd(&file->fd);
    free(file->path);
    free(file->temporary);
    free(file);
}

static int open_aside(struct outfile **out, const char *path, mode_t mode, struct err *err)
{
    static atomic_uint counter;
    CLEANUP(free_ptr) char *directory = path_directory(path);
    struct outfile *file = calloc(1, sizeof *file);
    if (!file)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    file->path = str_format("%s", path);
    file->temporary = str_format("%s/.%s.%d-%u.part", directory, path_name(path), (int)getpid(),
                                 atomic_fetch_add(&counter, 1));
    unlink(file->temporary); /* of an earlier process with this pid */
    file->fd = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file->fd < 0) {
        int code = err_set(err, -errno, "cannot write in %s: %s", directory, strerror(errno));
        outfile_free(file);
        return code;
    }
    *out = file;
    return 0;
}

int outfile_open(struct outfile **out, const char *path, struct err *err)
{
    return open_aside(out, path, 0666, err);
}

const char *outfile_temporary(const struct outfile *file)
{
    return file->temporary;
}

int outfile_fd(struct outfile *file)
{
    return file->fd;
}

static int sync_path(const char *path, int flags)
{
    CLEANUP(close_fd) int fd = open(path, flags | O_CLOEXEC);
    return fd < 0 || fsync(fd) != 0 ? -errno : 0;
}

int file_sync_directory(const char *directory, struct err *err)
{
    int code = sync_path(directory, O_RDONLY | O_DIRECTORY);
    return code ? err_set(err, code, "cannot sync %s: %s", directory, strerror(-code)) : 0;
}

int outfile_publish(struct outfile *file, struct err *err)
{
    CLEANUP(free_ptr) char *directory = path_directory(file->path);
    int code = fsync(file->fd) != 0 ? -errno : 0;
    if (close(file->fd) != 0 && !code)
        code = -errno;
    file->fd = -1;
    if (!code) /* a library may have replaced the file by name */
        code = sync_path(file->temporary, O_RDONLY);
    if (!code && rename(file->temporary, file->path) != 0)
        code = -errno;
    if (code)
        unlink(file->temporary);
    else
        code = sync_path(directory, O_RDONLY | O_DIRECTORY);
    if (code)
        err_set(err, code, "cannot write %s: %s", file->path, strerror(-code));
    outfile_free(file);
    return code;
}

void outfile_discard(struct outfile *file)
{
    if (!file)
        return;
    unlink(file->temporary);
    outfile_free(file);
}

int file_write_all(int fd, const void *data, size_t size)
{
    for (const char *at = data; size;) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        at += written;
        size -= (size_t)written;
    }
    return 0;
}

int outfile_write(struct outfile *file, const void *data, size_t size, struct err *err)
{
    int code = file_write_all(file->fd, data, size);
    return code ? err_set(err, code, "cannot write %s: %s", file->path, strerror(-code)) : 0;
}

static int publish(const char *path, mode_t mode, const void *data, size_t size, struct err *err)
{
    CLEANUP(outfile_discard_ptr) struct outfile *file = NULL;
    int code = open_aside(&file, path, mode, err);
    if (!code)
        code = outfile_write(file, data, size, err);
    return code ? code : outfile_publish(TAKE(file), err);
}

int file_publish(const char *path, const void *data, size_t size, struct err *err)
{
    return publish(path, 0666, data, size, err);
}

int file_publish_private(const char *path, const void *data, size_t size, struct err *err)
{
    return publish(path, 0600, data, size, err);
}

int file_read(const char *path, size_t limit, char **data, size_t *size, struct err *err)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return err_set(err, -EINVAL, "%s is not a regular file", path);
    if ((size_t)status.st_size > limit)
        return err_set(err, -EFBIG, "%s has %lld bytes, more than the %zu allowed", path,
                       (long long)status.st_size, limit);
    CLEANUP(free_ptr) char *bytes = malloc((size_t)status.st_size + 1);
    if (!bytes)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    size_t done = 0;
    while (done < (size_t)status.st_size) {
        ssize_t got = read(fd, bytes + done, (size_t)status.st_size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
        if (got == 0)
            break;
        done += (size_t)got;
    }
    bytes[done] = '\0';
    *size = done;
    *data = TAKE(bytes);
    return 0;
}

int file_checksum(const char *path, uint64_t *checksum, struct err *err)
{
    enum { CHUNK = 1 << 20 };
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    CLEANUP(free_ptr) char *chunk = malloc(CHUNK);
    CLEANUP(free_ptr) XXH3_state_t *state = aligned_alloc(64, sizeof *state);
    if (!chunk || !state)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    XXH3_INITSTATE(state);
    XXH3_64bits_reset(state);
    for (;;) {
        ssize_t got = read(fd, chunk, CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
        if (got == 0)
            break;
        XXH3_64bits_update(state, chunk, (size_t)got);
    }
    *checksum = XXH3_64bits_digest(state);
    return 0;
}

int file_pread(int fd, const char *path, int64_t offset, void *data, size_t size, struct err *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, (char *)data + done, size - done, offset + (int64_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
        if (got == 0)
            return err_set(err, -EIO, "%s is cut short", path);
        done += (size_t)got;
    }
    return 0;
}
