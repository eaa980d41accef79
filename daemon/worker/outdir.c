/* See outdir.h. The marks are files or directories that no other kind writes. */
#include "daemon/worker/outdir.h"
#include "common/cleanup.h"
#include "common/path.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *name, *kinds, *what;
} MARKS[] = {
    {"coadd", "mock inject", "a survey or a simulation"},
    {"survey-bricks.fits.gz", "mock", "a survey"},
    {"obiwan", "inject", "a simulation"},
    {"cutouts.json", "cutouts", "the output of a cutouts job"},
    {"index.h5", "split", "the output of a split job"},
    {"audit.json", "audit", "the output of an audit job"},
    {"export.json", "export", "the output of an export"},
    {"gallery.json", "gallery", "a gallery"},
    {"ckpts", "train", "the output of a train job"},
    {"predictions.h5", "evaluate", "the output of an evaluate job"},
};

int outdir_check(const char *kind, const char *out, struct err *err)
{
    if (path_exists(out) && !path_is_directory(out))
        return err_set(err, -ENOTDIR, "out is %s, which is not a directory", out);
    for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++) {
        CLEANUP(free_ptr) char *path = path_join(out, MARKS[i].name);
        if (!strstr(MARKS[i].kinds, kind) && path_exists(path))
            return err_set(err, -EEXIST, "%s is %s (there is %s in it); give another directory as out", out,
                           MARKS[i].what, MARKS[i].name);
    }
    return 0;
}
