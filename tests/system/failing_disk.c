/* Preloaded into decoyd, makes its disk fail as files in $FAILING_DISK say: with `fsync` there every fsync and fdatasync gives
 * EIO; with `full` every pwrite (SQLite's way of writing) gives ENOSPC, and with `write` every write to a regular file EIO;
 * with `short` either writes half of what it was given and says so; with `lie` pwrite writes nothing and says that it did. */
#undef _FILE_OFFSET_BITS /* it would rename pwrite, and both names are needed */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#pragma GCC visibility push(default)
int fsync(int fd);
int fdatasync(int fd);
ssize_t write(int fd, const void *data, size_t size);
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset);
#pragma GCC visibility pop

static int failing(const char *what)
{
    char path[4096];
    const char *directory = getenv("FAILING_DISK");
    if (!directory)
        return 0;
    snprintf(path, sizeof path, "%s/%s", directory, what);
    return access(path, F_OK) == 0;
}

static int fail(int code)
{
    errno = code;
    return -1;
}

static size_t shortened(size_t size)
{
    return size > 1 && failing("short") ? size / 2 : size;
}

static int is_regular(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

int fsync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return failing("fsync") ? fail(EIO) : real(fd);
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return failing("fsync") ? fail(EIO) : real(fd);
}

ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t (*real)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (!is_regular(fd)) /* libzmq ends the process where an eventfd fails, and it never does */
        return real(fd, data, size);
    return failing("write") ? fail(EIO) : real(fd, data, shortened(size));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
    if (failing("lie"))
        return (ssize_t)size;
    return failing("full") ? fail(ENOSPC) : real(fd, data, shortened(size), offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off64_t) =
        (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    if (failing("lie"))
        return (ssize_t)size;
    return failing("full") ? fail(ENOSPC) : real(fd, data, shortened(size), offset);
}
