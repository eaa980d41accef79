/* Preloaded into a worker, makes its disk hang while the file $SLOW_DISK is there: pages that are asked for beforehand
 * (MADV_WILLNEED, as the loader does) do not come. */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#pragma GCC visibility push(default)
int madvise(void *address, size_t size, int advice);
#pragma GCC visibility pop

int madvise(void *address, size_t size, int advice)
{
    int (*real)(void *, size_t, int) = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "madvise");
    const char *path = getenv("SLOW_DISK");
    while (advice == MADV_WILLNEED && path && access(path, F_OK) == 0)
        usleep(5000);
    return real(address, size, advice);
}
