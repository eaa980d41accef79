/* See preset.h. */
#include "common/preset.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>
#include <string.h>

int preset_find(const char *folder, const char *name, char **path, struct err *err)
{
    const char *const roots[] = {getenv("DECOY_ETC"), DECOY_INSTALL_ETC, DECOY_SOURCE_ETC};
    if (strchr(name, '/')) {
        if (!path_exists(name))
            return err_set(err, -ENOENT, "%s does not exist", name);
        *path = str_format("%s", name);
        return 0;
    }
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        if (!roots[i])
            continue;
        CLEANUP(free_ptr) char *candidate = str_format("%s/%s/%s.yaml", roots[i], folder, name);
        if (path_exists(candidate)) {
            *path = TAKE(candidate);
            return 0;
        }
    }
    return err_set(err, -ENOENT, "no %s.yaml in etc/%s (a file of your own is given by a path with a slash)", name, folder);
}
