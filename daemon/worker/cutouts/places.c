/* See places.h. */
#include "daemon/worker/cutouts/places.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>

static char *existing(const char *directory, const char *name, const char *run)
{
    static const char *const ENDINGS[] = {".fits", ".fits.gz", ".fits.fz"};
    for (size_t i = 0; i < sizeof ENDINGS / sizeof *ENDINGS; i++) {
        CLEANUP(free_ptr)
        char *path = str_format("%s/%s%s%s%s", directory, name, run[0] ? "-" : "", run, ENDINGS[i]);
        if (path_exists(path))
            return TAKE(path);
    }
    return NULL;
}

int places_find(const char *directory, const struct brick *brick, char **path, struct err *err)
{
    *path = existing(directory, brick->name, brick->run);
    if (!*path && brick->run[0])
        *path = existing(directory, brick->name, "");
    return *path ? 0 : err_set(err, -ENOENT, "there is no %s.fits in %s", brick->name, directory);
}
