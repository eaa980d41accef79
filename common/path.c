/* See path.h. */
#include "common/path.h"
#include "common/cleanup.h"
#include "common/str.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

char *path_join(const char *directory, const char *name)
{
    size_t length = strlen(directory);
    return str_format("%s%s%s", directory, length && directory[length - 1] == '/' ? "" : "/", name);
}

char *path_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return str_format(".");
    return slash == path ? str_format("/") : str_format("%.*s", (int)(slash - path), path);
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *path_absolute(const char *path)
{
    if (*path == '/')
        return str_format("%s", path);
    CLEANUP(free_ptr) char *here = getcwd(NULL, 0);
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    return *path && strcmp(path, ".") != 0 ? path_join(here ? here : "/", path) : str_format("%s", here ? here : "/");
}

bool path_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

bool path_is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int path_make_directories(const char *path, unsigned mode, struct err *err)
{
    CLEANUP(free_ptr) char *work = str_format("%s", path);
    for (char *at = work + 1;; at++) {
        char kept = *at;
        if (kept != '/' && kept != '\0')
            continue;
        *at = '\0';
        if (mkdir(work, mode) != 0 && errno != EEXIST)
            return err_set(err, -errno, "cannot make directory %s: %s", work, strerror(errno));
        *at = kept;
        if (!kept)
            break;
    }
    return path_is_directory(path) ? 0 : err_set(err, -ENOTDIR, "%s is not a directory", path);
}
