/* See fence.h. */
#include "daemon/worker/train/fence.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

int fence_raise(struct fence *fence, const char *directory, struct err *err)
{
    unsigned char bytes[(FENCE_MARK_SIZE - 1) / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_set(err, -EIO, "cannot get random bytes: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(fence->mark + 2 * i, 3, "%02x", bytes[i]);
    fence->path = path_join(directory, ".attempt");
    return file_publish(fence->path, fence->mark, strlen(fence->mark), err);
}

int fence_check(const struct fence *fence, struct err *err)
{
    CLEANUP(free_ptr) char *found = NULL;
    size_t size;
    int code = file_read(fence->path, FENCE_MARK_SIZE, &found, &size, err);
    if (!code && strcmp(found, fence->mark) != 0)
        code = err_set(err, -ESTALE, "another attempt writes to %.*s since; this one ends",
                       (int)(path_name(fence->path) - fence->path - 1), fence->path);
    return code;
}

void fence_clear(struct fence *fence)
{
    free(fence->path);
    fence->path = NULL;
}
