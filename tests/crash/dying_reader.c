/* Preloaded into a worker, ends the process by SIGSEGV when it opens a file whose name holds "b00001-image-r". */
#undef _FILE_OFFSET_BITS /* it would rename open, and both names are needed */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#pragma GCC visibility push(default)
int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);
#pragma GCC visibility pop

static int open_by(const char *name, const char *path, int flags, int mode)
{
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);
    if (!(flags & O_PATH) && strstr(path, "b00001-image-r"))
        raise(SIGSEGV);
    return real(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = flags & O_CREAT ? va_arg(more, int) : 0;
    va_end(more);
    return open_by("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = flags & O_CREAT ? va_arg(more, int) : 0;
    va_end(more);
    return open_by("open64", path, flags, mode);
}
