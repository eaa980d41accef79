/* Where a survey's files lie (survey.h); survey_scan.c finds out which bricks it has. */
#include "daemon/worker/sky/survey.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/sky/survey_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const char *const ENDINGS[] = {".fits.fz", ".fits", ".fits.gz"};
enum { ENDING_COUNT = sizeof ENDINGS / sizeof *ENDINGS };

int survey_open_unlisted(struct survey **out, const char *directory, struct err *err)
{
    CLEANUP(survey_close_ptr) struct survey *survey = calloc(1, sizeof *survey);
    if (!survey)
        return err_set(err, -ENOMEM, "out of memory for the bricks of %s", directory);
    survey->directory = str_format("%s", directory);
    for (size_t end = strlen(directory); end > 1 && directory[end - 1] == '/'; end--)
        survey->directory[end - 1] = '\0';
    int code = survey_find_layout(survey, err);
    if (!code)
        *out = TAKE(survey);
    return code;
}

void survey_close(struct survey *survey)
{
    if (!survey)
        return;
    free(survey->directory);
    free(survey->runs);
    free(survey->bricks);
    free(survey);
}

const char *survey_directory(const struct survey *survey)
{
    return survey->directory;
}

const struct brick *survey_bricks(const struct survey *survey, size_t *count)
{
    *count = survey->count;
    return survey->bricks;
}

/* <root>/<tree>/<AAA>/<brick>[/<run>], or without <brick> for a survey's own catalogue (flat). */
static char *folder_of(const char *root, const char *tree, const struct brick *brick, bool flat)
{
    if (flat && !brick->run[0])
        return str_format("%s/%s/%.3s", root, tree, brick->name);
    return str_format("%s/%s/%.3s/%s%s%s", root, tree, brick->name, brick->name, brick->run[0] ? "/" : "",
                      brick->run);
}

/* The paths without their ending .fits[.fz|.gz]. */
static char *plane_stem(const char *root, const struct brick *brick, const char *kind, char band)
{
    CLEANUP(free_ptr) char *folder = folder_of(root, "coadd", brick, false);
    return str_format("%s/legacysurvey-%s-%s-%c", folder, brick->name, kind, band);
}

static char *catalogue_stem(const char *root, const struct brick *brick)
{
    CLEANUP(free_ptr) char *folder = folder_of(root, "tractor", brick, true);
    return str_format("%s/tractor-%s", folder, brick->name);
}

static char *truth_stem(const char *root, const char *tree, const char *name, const struct brick *brick)
{
    CLEANUP(free_ptr) char *folder = folder_of(root, tree, brick, false);
    return str_format("%s/%s-%s", folder, name, brick->name);
}

/* In legacysim's layout a run is a survey of its own: *root and *brick are then of that. */
static char *enter_run(const struct survey *survey, const struct brick *brick, struct brick *inside)
{
    *inside = *brick;
    if (!survey->runs_on_top || !brick->run[0])
        return str_format("%s", survey->directory);
    inside->run[0] = '\0';
    return path_join(survey->directory, brick->run);
}

/* The first file there is of this stem, or NULL. */
static char *existing(const char *stem)
{
    for (size_t i = 0; i < ENDING_COUNT; i++) {
        CLEANUP(free_ptr) char *candidate = str_format("%s%s", stem, ENDINGS[i]);
        if (path_exists(candidate))
            return TAKE(candidate);
    }
    return NULL;
}

static int find_file(const char *stem, const struct brick *brick, const char *what, char **path,
                     struct err *err)
{
    *path = existing(stem);
    return *path ? 0
                 : err_set(err, -ENOENT,
                           "brick %s%s%s has no %s: neither %s.fits.fz nor .fits nor .fits.gz is there",
                           brick->name, brick->run[0] ? " " : "", brick->run, what, stem);
}

int survey_find_plane(const struct survey *survey, const struct brick *brick, const char *kind, char band,
                      char **path, struct err *err)
{
    struct brick inside;
    CLEANUP(free_ptr) char *root = enter_run(survey, brick, &inside);
    CLEANUP(free_ptr) char *stem = plane_stem(root, &inside, kind, band);
    CLEANUP(free_ptr) char *what = str_format("%s in band %c", kind, band);
    return find_file(stem, brick, what, path, err);
}

int64_t survey_plane_size(const struct survey *survey, const struct brick *brick, const char *kind, char band)
{
    struct brick inside;
    struct stat status;
    CLEANUP(free_ptr) char *root = enter_run(survey, brick, &inside);
    CLEANUP(free_ptr) char *stem = plane_stem(root, &inside, kind, band);
    for (size_t i = 0; i < ENDING_COUNT; i++) {
        CLEANUP(free_ptr) char *path = str_format("%s%s", stem, ENDINGS[i]);
        if (stat(path, &status) == 0)
            return status.st_size;
    }
    return 0;
}

int survey_find_catalogue(const struct survey *survey, const struct brick *brick, char **path,
                          struct err *err)
{
    struct brick inside;
    CLEANUP(free_ptr) char *root = enter_run(survey, brick, &inside);
    CLEANUP(free_ptr) char *stem = catalogue_stem(root, &inside);
    return find_file(stem, brick, "catalogue", path, err);
}

int survey_find_truth(const struct survey *survey, const struct brick *brick, char **path, struct err *err)
{
    static const struct {
        const char *tree, *name;
    } PLACES[] = {{"obiwan", "simcat-elg"}, {"obiwan", "randoms"}, {"legacysim", "randoms"}};
    struct brick inside;
    CLEANUP(free_ptr) char *root = enter_run(survey, brick, &inside);
    if (survey->runs_on_top) {
        CLEANUP(free_ptr) char *stem = str_format("%s/sim/%.3s/injected-%s", root, brick->name, brick->name);
        return find_file(stem, brick, "truth catalogue", path, err);
    }
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        CLEANUP(free_ptr) char *stem = truth_stem(root, PLACES[i].tree, PLACES[i].name, brick);
        if ((*path = existing(stem)))
            return 0;
    }
    CLEANUP(free_ptr) char *stem = truth_stem(root, PLACES[0].tree, PLACES[0].name, brick);
    return find_file(stem, brick, "truth catalogue", path, err);
}

/* A writer's path, its folders made. */
static int writer_path(const char *stem, const char *ending, char **path, struct err *err)
{
    CLEANUP(free_ptr) char *folder = path_directory(stem);
    int code = path_make_directories(folder, 0777, err);
    if (!code)
        *path = str_format("%s%s", stem, ending);
    return code;
}

int survey_plane_path(const char *directory, const struct brick *brick, const char *kind, char band,
                      char **path, struct err *err)
{
    CLEANUP(free_ptr) char *stem = plane_stem(directory, brick, kind, band);
    return writer_path(stem, ".fits.fz", path, err);
}

int survey_catalogue_path(const char *directory, const struct brick *brick, char **path, struct err *err)
{
    CLEANUP(free_ptr) char *stem = catalogue_stem(directory, brick);
    return writer_path(stem, ".fits", path, err);
}

int survey_truth_path(const char *directory, const struct brick *brick, char **path, struct err *err)
{
    CLEANUP(free_ptr) char *stem = truth_stem(directory, "obiwan", "simcat-elg", brick);
    return writer_path(stem, ".fits", path, err);
}
