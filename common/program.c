/* See program.h. */
#include "common/program.h"
#include "common/cleanup.h"
#include "common/path.h"

#include <errno.h>
#include <string.h>

static char *own_directory(void)
{
    char own[4096];
    ssize_t size = readlink("/proc/self/exe", own, sizeof own - 1);
    own[size < 0 ? 0 : size] = '\0';
    return path_directory(own);
}

char *program_beside(const char *const *places, size_t count)
{
    CLEANUP(free_ptr) char *directory = own_directory();
    for (size_t i = 0; i < count; i++) {
        CLEANUP(free_ptr) char *path = path_join(directory, places[i]);
        if (access(path, X_OK) == 0)
            return TAKE(path);
    }
    return NULL;
}

char *program_in_path(const char *name)
{
    const char *list = getenv("PATH");
    CLEANUP(free_ptr) char *copy = strdup(list ? list : "");
    char *rest = copy, *directory;
    while (rest && (directory = strsep(&rest, ":"))) {
        CLEANUP(free_ptr) char *path = path_join(*directory ? directory : ".", name);
        if (access(path, X_OK) == 0)
            return path_absolute(path);
    }
    return NULL;
}

int program_find_worker(char **path, struct err *err)
{
    static const char *const PLACES[] = {"decoy-worker", "worker/decoy-worker",
                                         "../daemon/worker/decoy-worker", "../libexec/decoy/decoy-worker",
                                         "../libexec/decoy-worker"};
    const char *given = getenv("DECOY_WORKER");
    CLEANUP(free_ptr) char *found = NULL;
    if (given && *given) {
        found = path_absolute(given);
        if (access(found, X_OK) != 0)
            return err_set(err, -ENOENT, "DECOY_WORKER=%s is not a program", given);
    }
    if (!found)
        found = program_beside(PLACES, sizeof PLACES / sizeof *PLACES);
    if (!found)
        found = program_in_path("decoy-worker");
    if (!found) {
        CLEANUP(free_ptr) char *directory = own_directory();
        return err_set(err, -ENOENT, "there is no decoy-worker in %s or $PATH; set DECOY_WORKER to its path",
                       directory);
    }
    *path = TAKE(found);
    return 0;
}
