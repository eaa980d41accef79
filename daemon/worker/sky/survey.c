/* See survey.h. The layout:
 *
 *   coadd/<AAA>/<brick>[/<run>]/legacysurvey-<brick>-{image,invvar}-<band>.fits.fz
 *   tractor/<AAA>/tractor-<brick>.fits               of a survey
 *   tractor/<AAA>/<brick>/<run>/tractor-<brick>.fits  of a simulation
 *   obiwan/<AAA>/<brick>/<run>/simcat-elg-<brick>.fits
 *
 * <AAA> is the first three characters of the brick's name. A folder in a brick's is a run when its name is
 * rs<digits>, alone or after a word and "_" (skip_rs0, more_rs300). A brick folder without such folders, or
 * with files beside them, is the survey's own brick. What else lies about is passed over. */
#include "daemon/worker/sky/survey.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { GROUP_LENGTH = 3, LIST_SIZE_MAX = 64 << 20 };

struct survey {
    char *directory;
    struct brick *bricks;
    size_t count, room;
};

static void close_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

static bool run_name_valid(const char *name)
{
    const char *digits = strstr(name, "rs");
    while (digits && digits != name && digits[-1] != '_')
        digits = strstr(digits + 1, "rs");
    if (!digits || strlen(name) >= RUN_NAME_MAX)
        return false;
    digits += 2;
    return *digits && strspn(digits, "0123456789") == strlen(digits);
}

static bool brick_name_valid(const char *name)
{
    size_t length = strlen(name);
    for (const char *at = name; *at; at++) {
        if (!isalnum((unsigned char)*at) && !strchr("+-_", *at))
            return false;
    }
    return length >= GROUP_LENGTH && length < BRICK_NAME_MAX;
}

static int bricks_add(struct survey *survey, const char *name, const char *run, struct err *err)
{
    if (survey->count == survey->room) {
        size_t room = survey->room ? 2 * survey->room : 64;
        struct brick *grown = realloc(survey->bricks, room * sizeof *grown);
        if (!grown)
            return err_set(err, -ENOMEM, "out of memory for the bricks of %s", survey->directory);
        survey->bricks = grown;
        survey->room = room;
    }
    struct brick *brick = &survey->bricks[survey->count++];
    memset(brick, 0, sizeof *brick);
    snprintf(brick->name, sizeof brick->name, "%s", name);
    snprintf(brick->run, sizeof brick->run, "%s", run);
    return 0;
}

/* One brick's folder: its runs, and itself. */
static int scan_brick(struct survey *survey, const char *folder, const char *name, struct err *err)
{
    CLEANUP(close_directory) DIR *directory = opendir(folder);
    if (!directory)
        return err_set(err, -errno, "cannot read folder %s: %s", folder, strerror(errno));
    size_t runs = 0, others = 0;
    int code = 0;
    for (struct dirent *entry; !code && (entry = readdir(directory));) {
        CLEANUP(free_ptr) char *path = path_join(folder, entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        bool run = run_name_valid(entry->d_name) && path_is_directory(path);
        *(run ? &runs : &others) += 1;
        if (run)
            code = bricks_add(survey, name, entry->d_name, err);
    }
    return !code && (others || !runs) ? bricks_add(survey, name, "", err) : code;
}

/* One coadd/<AAA> folder. */
static int scan_group(struct survey *survey, const char *folder, const char *group, struct err *err)
{
    CLEANUP(close_directory) DIR *directory = opendir(folder);
    if (!directory)
        return err_set(err, -errno, "cannot read folder %s: %s", folder, strerror(errno));
    int code = 0;
    for (struct dirent *entry; !code && (entry = readdir(directory));) {
        CLEANUP(free_ptr) char *path = path_join(folder, entry->d_name);
        if (strncmp(entry->d_name, group, GROUP_LENGTH) == 0 && brick_name_valid(entry->d_name) &&
            path_is_directory(path))
            code = scan_brick(survey, path, entry->d_name, err);
    }
    return code;
}

/* Most often a slip in the path. */
static int scan_failure(const char *directory, int number, struct err *err)
{
    if (number == ENOENT && !path_exists(directory))
        return err_set(err, -number, "there is no directory %s", directory);
    return err_set(err, -number,
                   "%s is no survey or simulation in Legacy Survey layout: cannot read its folder coadd: %s",
                   directory, strerror(number));
}

static int scan_survey(struct survey *survey, struct err *err)
{
    CLEANUP(free_ptr) char *coadd = path_join(survey->directory, "coadd");
    CLEANUP(close_directory) DIR *directory = opendir(coadd);
    if (!directory)
        return scan_failure(survey->directory, errno, err);
    int code = 0;
    for (struct dirent *entry; !code && (entry = readdir(directory));) {
        CLEANUP(free_ptr) char *path = path_join(coadd, entry->d_name);
        if (entry->d_name[0] != '.' && strlen(entry->d_name) == GROUP_LENGTH && path_is_directory(path))
            code = scan_group(survey, path, entry->d_name, err);
    }
    if (!code && !survey->count)
        code = err_set(err, -ENOENT, "%s has no brick: no folder like 135/1350m000 in it", coadd);
    return code;
}

static int brick_order(const void *a, const void *b)
{
    const struct brick *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order ? order : strcmp(left->run, right->run);
}

static int name_order(const void *name, const void *brick)
{
    return strcmp(name, ((const struct brick *)brick)->name);
}

/* One line of the list file: marks the bricks of that name. */
static int keep_named(struct survey *survey, bool *kept, const char *name, const char *list, int line,
                      struct err *err)
{
    struct brick *found = bsearch(name, survey->bricks, survey->count, sizeof *found, name_order);
    if (!found)
        return err_set(err, -ENOENT, "%s:%d: brick %.40s is not in %s/coadd", list, line, name,
                       survey->directory);
    while (found > survey->bricks && strcmp(found[-1].name, name) == 0)
        found--;
    for (; found < survey->bricks + survey->count && strcmp(found->name, name) == 0; found++)
        kept[found - survey->bricks] = true;
    return 0;
}

/* Blank lines and those that begin with # are passed over. */
static int mark_listed(struct survey *survey, bool *kept, const char *list, struct err *err)
{
    CLEANUP(free_ptr) char *text = NULL;
    size_t size;
    int line = 0, code = file_read(list, LIST_SIZE_MAX, &text, &size, err);
    for (char *at = text, *next; !code && at; at = next) {
        next = strchr(at, '\n');
        if (next)
            *next++ = '\0';
        line++;
        at += strspn(at, " \t\r");
        at[strcspn(at, " \t\r")] = '\0';
        if (*at && *at != '#')
            code = keep_named(survey, kept, at, list, line, err);
    }
    return code;
}

static int keep_listed(struct survey *survey, const char *list, struct err *err)
{
    CLEANUP(free_ptr) bool *kept = calloc(survey->count, sizeof *kept);
    if (!kept)
        return err_set(err, -ENOMEM, "out of memory for %s", list);
    int code = mark_listed(survey, kept, list, err);
    size_t count = 0;
    for (size_t i = 0; i < survey->count; i++) {
        if (kept[i])
            survey->bricks[count++] = survey->bricks[i];
    }
    survey->count = count;
    return !code && !count ? err_set(err, -ENOENT, "%s names no brick", list) : code;
}

int survey_open_unlisted(struct survey **out, const char *directory, struct err *err)
{
    struct survey *survey = calloc(1, sizeof *survey);
    if (!survey)
        return err_set(err, -ENOMEM, "out of memory for the bricks of %s", directory);
    survey->directory = str_format("%s", directory);
    *out = survey;
    return 0;
}

int survey_open(struct survey **out, const char *directory, const char *list, struct err *err)
{
    CLEANUP(survey_close_ptr) struct survey *survey = NULL;
    int code = survey_open_unlisted(&survey, directory, err);
    if (!code)
        code = scan_survey(survey, err);
    if (code)
        return code;
    qsort(survey->bricks, survey->count, sizeof *survey->bricks, brick_order);
    code = list ? keep_listed(survey, list, err) : 0;
    if (!code)
        *out = TAKE(survey);
    return code;
}

void survey_close(struct survey *survey)
{
    if (!survey)
        return;
    free(survey->directory);
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
    const char *slash = root[0] && root[strlen(root) - 1] == '/' ? "" : "/";
    if (flat && !brick->run[0])
        return str_format("%s%s%s/%.3s", root, slash, tree, brick->name);
    return str_format("%s%s%s/%.3s/%s%s%s", root, slash, tree, brick->name, brick->name,
                      brick->run[0] ? "/" : "", brick->run);
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

static char *truth_stem(const char *root, const struct brick *brick)
{
    CLEANUP(free_ptr) char *folder = folder_of(root, "obiwan", brick, false);
    return str_format("%s/simcat-elg-%s", folder, brick->name);
}

static int find_file(const char *stem, const struct brick *brick, const char *what, char **path,
                     struct err *err)
{
    static const char *const endings[] = {".fits.fz", ".fits", ".fits.gz"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        CLEANUP(free_ptr) char *candidate = str_format("%s%s", stem, endings[i]);
        if (path_exists(candidate)) {
            *path = TAKE(candidate);
            return 0;
        }
    }
    return err_set(err, -ENOENT, "brick %s%s%s has no %s: neither %s.fits.fz nor .fits nor .fits.gz is there",
                   brick->name, brick->run[0] ? " " : "", brick->run, what, stem);
}

int survey_find_plane(const struct survey *survey, const struct brick *brick, const char *kind, char band,
                      char **path, struct err *err)
{
    CLEANUP(free_ptr) char *stem = plane_stem(survey->directory, brick, kind, band);
    CLEANUP(free_ptr) char *what = str_format("%s in band %c", kind, band);
    return find_file(stem, brick, what, path, err);
}

int survey_find_catalogue(const struct survey *survey, const struct brick *brick, char **path,
                          struct err *err)
{
    CLEANUP(free_ptr) char *stem = catalogue_stem(survey->directory, brick);
    return find_file(stem, brick, "catalogue", path, err);
}

int survey_find_truth(const struct survey *survey, const struct brick *brick, char **path, struct err *err)
{
    CLEANUP(free_ptr) char *stem = truth_stem(survey->directory, brick);
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
    CLEANUP(free_ptr) char *stem = truth_stem(directory, brick);
    return writer_path(stem, ".fits", path, err);
}
