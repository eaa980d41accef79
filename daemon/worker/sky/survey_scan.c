/* Which bricks and runs a survey has (survey.h). Folders are read and their entries' types believed where the
 * file system tells them, so that a brick costs no question of its own; on Lustre each would go to its
 * metadata server. What else lies about is passed over. */
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/sky/brick_names.h"
#include "daemon/worker/sky/survey_parts.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

static void close_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* [<words>_]rs<digits>[_skip<digits>] */
static bool run_name_valid(const char *name)
{
    const char *start = strstr(name, "rs");
    while (start && start != name && start[-1] != '_')
        start = strstr(start + 1, "rs");
    if (!start || strlen(name) >= RUN_NAME_MAX)
        return false;
    const char *end = start + 2;
    if (!digits(end))
        return false;
    end += digits(end);
    if (strncmp(end, "_skip", 5) == 0 && digits(end + 5))
        end += 5 + digits(end + 5);
    return !*end;
}

static bool is_directory(const char *folder, const struct dirent *entry)
{
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)
        return entry->d_type == DT_DIR;
    CLEANUP(free_ptr) char *path = path_join(folder, entry->d_name);
    return path_is_directory(path);
}

static bool is_group(const char *folder, const struct dirent *entry)
{
    return entry->d_name[0] != '.' && strlen(entry->d_name) == GROUP_LENGTH && is_directory(folder, entry);
}

static int add_brick(struct survey *survey, const char *name, const char *run, struct err *err)
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

static DIR *open_folder(const char *path, bool may_lack, int *code, struct err *err)
{
    DIR *directory = opendir(path);
    *code = directory || (may_lack && errno == ENOENT)
                ? 0
                : err_set(err, -errno, "cannot read folder %s: %s", path, strerror(errno));
    return directory;
}

/* A brick's folder in a survey or in obiwan's layout: its runs, and itself. */
static int scan_brick(struct survey *survey, const char *folder, const char *name, int parts, struct err *err)
{
    int code;
    CLEANUP(close_directory) DIR *directory = open_folder(folder, false, &code, err);
    size_t runs = 0, others = 0;
    for (struct dirent *entry; !code && (entry = readdir(directory));) {
        if (entry->d_name[0] == '.')
            continue;
        bool run = run_name_valid(entry->d_name) && is_directory(folder, entry);
        *(run ? &runs : &others) += 1;
        if (run && parts & SURVEY_RUNS)
            code = add_brick(survey, name, entry->d_name, err);
    }
    bool own = parts & SURVEY_OWN && (others || !runs);
    return !code && own ? add_brick(survey, name, "", err) : code;
}

/* A folder coadd/<AAA>. run: NULL when its bricks' folders tell; else all are of it ("": the survey's own). */
static int scan_group(struct survey *survey, const char *folder, const char *group, const char *run,
                      int parts, const struct brick_names *only, struct err *err)
{
    int code;
    CLEANUP(close_directory) DIR *directory = open_folder(folder, true, &code, err);
    for (struct dirent *entry; directory && !code && (entry = readdir(directory));) {
        const char *name = entry->d_name;
        if (strncmp(name, group, GROUP_LENGTH) != 0 || !brick_name_valid(name) ||
            (only && !brick_names_have(only, name)) || !is_directory(folder, entry))
            continue;
        CLEANUP(free_ptr) char *path = path_join(folder, name);
        code = run ? add_brick(survey, name, run, err) : scan_brick(survey, path, name, parts, err);
    }
    return code;
}

static int brick_order(const void *a, const void *b)
{
    const struct brick *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order ? order : strcmp(left->run, right->run);
}

int survey_scan(struct survey *survey, const char *group, int parts, const struct brick_names *only,
                struct err *err)
{
    size_t before = survey->count;
    int code = 0;
    if (!survey->runs_on_top) {
        CLEANUP(free_ptr) char *folder = str_format("%s/coadd/%s", survey->directory, group);
        code = scan_group(survey, folder, group, parts == SURVEY_OWN ? "" : NULL, parts, only, err);
    }
    for (size_t r = 0; parts & SURVEY_RUNS && r < survey->run_count && !code; r++) {
        CLEANUP(free_ptr)
        char *folder = str_format("%s/%s/coadd/%s", survey->directory, survey->runs[r], group);
        code = scan_group(survey, folder, group, survey->runs[r], parts, only, err);
    }
    if (survey->count > before)
        qsort(survey->bricks + before, survey->count - before, sizeof *survey->bricks, brick_order);
    return code;
}

bool survey_is_simulated(const struct survey *survey, const struct brick *brick)
{
    if (survey->runs_on_top || !brick)
        return survey->runs_on_top;
    CLEANUP(free_ptr)
    char *folder = str_format("%s/coadd/%.3s/%s", survey->directory, brick->name, brick->name);
    struct survey found = {.directory = survey->directory};
    int code = scan_brick(&found, folder, brick->name, SURVEY_OWN, NULL);
    free(found.bricks);
    return !code && !found.count;
}

static int text_order(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int add_text(void **texts, size_t width, size_t *count, const char *text)
{
    char *grown = realloc(*texts, (*count + 1) * width);
    if (!grown)
        return -ENOMEM;
    *texts = grown;
    memset(grown + *count * width, 0, width);
    snprintf(grown + (*count)++ * width, width, "%s", text);
    return 0;
}

static int groups_of_names(const struct brick_names *only, void **groups, size_t *count)
{
    int code = 0;
    for (size_t i = 0; i < only->count && !code; i++) {
        char group[GROUP_NAME_MAX];
        snprintf(group, sizeof group, "%.3s", only->bricks[i].name);
        if (!*count || strcmp(group, (char *)*groups + (*count - 1) * GROUP_NAME_MAX) != 0)
            code = add_text(groups, GROUP_NAME_MAX, count, group);
    }
    return code;
}

static int groups_of_folder(const char *coadd, void **groups, size_t *count, struct err *err)
{
    int code;
    CLEANUP(close_directory) DIR *directory = open_folder(coadd, true, &code, err);
    for (struct dirent *entry; directory && !code && (entry = readdir(directory));) {
        if (is_group(coadd, entry))
            code = add_text(groups, GROUP_NAME_MAX, count, entry->d_name);
    }
    if (*count)
        qsort(*groups, *count, GROUP_NAME_MAX, text_order);
    return code;
}

int survey_groups(const struct survey *survey, const struct brick_names *only,
                  char (**groups)[GROUP_NAME_MAX], size_t *count, struct err *err)
{
    CLEANUP(free_ptr) char *coadd = path_join(survey->directory, "coadd");
    CLEANUP(free_ptr) void *found = NULL;
    *count = 0;
    int code = only ? groups_of_names(only, &found, count) : groups_of_folder(coadd, &found, count, err);
    if (!code)
        *groups = TAKE(found);
    return code == -ENOMEM ? err_set(err, code, "out of memory for the groups of %s", coadd) : code;
}

/* Most often a slip in the path. */
static int no_survey(const char *directory, int number, struct err *err)
{
    CLEANUP(free_ptr) char *north = path_join(directory, "north/coadd");
    CLEANUP(free_ptr) char *south = path_join(directory, "south/coadd");
    bool has_north = path_is_directory(north), has_south = path_is_directory(south);
    if (number == ENOENT && !path_exists(directory))
        return err_set(err, -number, "there is no directory %s", directory);
    if (has_north || has_south)
        return err_set(err, -EINVAL, "%s holds %s; give %s/%s", directory,
                       has_north && has_south ? "two surveys, north and south, of which a job takes one"
                                              : "its survey in a folder",
                       directory, has_south ? "south" : "north");
    return err_set(err, -number,
                   "%s is no survey or simulation in Legacy Survey layout: cannot read its folder coadd: %s",
                   directory, strerror(number));
}

int survey_find_layout(struct survey *survey, struct err *err)
{
    CLEANUP(free_ptr) char *coadd = path_join(survey->directory, "coadd");
    if (path_is_directory(coadd))
        return 0;
    CLEANUP(close_directory) DIR *directory = opendir(survey->directory);
    if (!directory)
        return no_survey(survey->directory, errno, err);
    int code = 0;
    for (struct dirent *entry; !code && (entry = readdir(directory));) {
        if (run_name_valid(entry->d_name) && is_directory(survey->directory, entry))
            code = add_text((void **)&survey->runs, RUN_NAME_MAX, &survey->run_count, entry->d_name);
    }
    if (code)
        return err_set(err, code, "out of memory for the runs of %s", survey->directory);
    if (!survey->run_count)
        return no_survey(survey->directory, path_exists(coadd) ? ENOTDIR : ENOENT, err);
    qsort(survey->runs, survey->run_count, RUN_NAME_MAX, text_order);
    survey->runs_on_top = true;
    return 0;
}

/* All groups of a folder that has runs on top, or of coadd. */
static int scan_all(struct survey *survey, struct err *err)
{
    void *groups = NULL;
    size_t count = 0;
    CLEANUP(free_ptr) char *coadd = path_join(survey->directory, "coadd");
    int code = survey->runs_on_top ? 0 : groups_of_folder(coadd, &groups, &count, err);
    for (size_t r = 0; r < survey->run_count && !code; r++) {
        CLEANUP(free_ptr) char *folder = str_format("%s/%s/coadd", survey->directory, survey->runs[r]);
        code = groups_of_folder(folder, &groups, &count, err);
    }
    const char *before = "";
    for (size_t g = 0; g < count && !code; g++) {
        const char *group = (const char *)groups + g * GROUP_NAME_MAX;
        if (strcmp(group, before) != 0)
            code = survey_scan(survey, group, SURVEY_OWN | SURVEY_RUNS, NULL, err);
        before = group;
    }
    free(groups);
    if (!code && !survey->count)
        code = err_set(err, -ENOENT, "%s has no brick: no folder like 135/1350m000 in its coadd",
                       survey->directory);
    return code;
}

int survey_open(struct survey **out, const char *directory, struct err *err)
{
    CLEANUP(survey_close_ptr) struct survey *survey = NULL;
    int code = survey_open_unlisted(&survey, directory, err);
    if (!code)
        code = scan_all(survey, err);
    if (!code)
        *out = TAKE(survey);
    return code;
}
