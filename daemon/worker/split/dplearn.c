/* See dplearn.h. */
#include "daemon/worker/split/dplearn.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/h5.h"
#include "daemon/worker/sky/table.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <string.h>

enum { SIDE_MAX = 4096, BANDS_MAX = 16, COLUMNS = 4 };

struct dplearn {
    struct h5 *h5;
    int64_t *ids; /* ascending */
    size_t count;
    int side, bands;
    json_t *channels;
    float *planes; /* img and ivar of a stamp, as they are stored */
    char *bricks;  /* (count, brick_width) */
    int64_t *edge;
    float *mag_g;
    struct cutout_column columns[COLUMNS];
};

void dplearn_close(struct dplearn *file)
{
    if (!file)
        return;
    h5_close(file->h5);
    json_decref(file->channels);
    free(file->ids);
    free(file->planes);
    free(file->bricks);
    free(file->edge);
    free(file->mag_g);
    free(file);
}

CLEANUP_DEFINE(dplearn_close_ptr, struct dplearn, dplearn_close)

static int compare_ids(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, two = *(const int64_t *)b;
    return one < two ? -1 : one > two;
}

static int read_ids(struct dplearn *file, struct err *err)
{
    CLEANUP(free_ptr) char **names = NULL;
    int code = h5_group_names(file->h5, "/", &names, &file->count, err);
    file->ids = calloc(file->count + 1, sizeof *file->ids);
    if (!code && !file->ids)
        code = err_set(err, -ENOMEM, "out of memory for %s", h5_path(file->h5));
    for (size_t i = 0; i < file->count && !code; i++) {
        char back[32] = "";
        if (str_to_int(names[i], &file->ids[i]))
            snprintf(back, sizeof back, "%lld", (long long)file->ids[i]);
        if (strcmp(back, names[i]) != 0)
            code = err_set(err, -EINVAL, "%s: group %.40s is not named by a number", h5_path(file->h5),
                           names[i]);
    }
    if (!code)
        qsort(file->ids, file->count, sizeof *file->ids, compare_ids);
    return code;
}

/* The bands that stand in the file's name, img_ivar_<bands>. */
static int read_channels(struct dplearn *file, struct err *err)
{
    const char *bands = path_name(h5_path(file->h5)) + strlen("img_ivar_");
    const size_t count = strcspn(bands, "_.");
    file->channels = json_array();
    for (size_t b = 0; b < count; b++) {
        json_array_append_new(file->channels, json_sprintf("%c", bands[b]));
        json_array_append_new(file->channels, json_sprintf("ivar_%c", bands[b]));
    }
    file->bands = (int)count;
    if (count < 1 || count > BANDS_MAX || strspn(bands, "ugrizYy") < count)
        return err_set(err, -EINVAL, "%s: its name does not say which bands it has (img_ivar_grz.hdf5)",
                       h5_path(file->h5));
    return 0;
}

static int check_plane(struct dplearn *file, size_t i, const char *name, struct err *err)
{
    char path[48];
    struct h5_shape shape;
    snprintf(path, sizeof path, "%lld/%s", (long long)file->ids[i], name);
    int code = h5_shape(file->h5, path, &shape, err);
    if (code)
        return code;
    if (shape.rank != 3 || shape.sizes[0] != shape.sizes[1] || shape.sizes[0] < 1 ||
        shape.sizes[0] > SIDE_MAX || shape.sizes[2] != (size_t)file->bands ||
        (shape.type != H5_TYPE_REAL32 && shape.type != H5_TYPE_REAL64) ||
        (file->side && shape.sizes[0] != (size_t)file->side))
        return err_set(err, -EINVAL, "%s, %s is not (side, side, %d) numbers as in the first stamp",
                       h5_path(file->h5), path, file->bands);
    file->side = (int)shape.sizes[0];
    return 0;
}

int dplearn_open(struct dplearn **out, const char *path, struct err *err)
{
    CLEANUP(dplearn_close_ptr) struct dplearn *file = calloc(1, sizeof *file);
    if (!file)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    int code = h5_open(&file->h5, path, err);
    if (!code)
        code = read_ids(file, err);
    if (!code)
        code = read_channels(file, err);
    if (!code && file->count)
        code = check_plane(file, 0, "img", err);
    const size_t pixels = (size_t)file->side * (size_t)file->side * (size_t)file->bands;
    file->planes = malloc((2 * pixels + 1) * sizeof *file->planes);
    if (!code && !file->planes)
        code = err_set(err, -ENOMEM, "out of memory for %s", path);
    if (!code)
        *out = TAKE(file);
    return code;
}

size_t dplearn_count(const struct dplearn *file)
{
    return file->count;
}

int dplearn_side(const struct dplearn *file)
{
    return file->side;
}

json_t *dplearn_channels(const struct dplearn *file)
{
    return file->channels;
}

static int read_plane(struct dplearn *file, size_t i, const char *name, float *plane, struct err *err)
{
    char path[48];
    const size_t pixels = (size_t)file->side * (size_t)file->side * (size_t)file->bands;
    snprintf(path, sizeof path, "%lld/%s", (long long)file->ids[i], name);
    int code = check_plane(file, i, name, err);
    return code ? code : h5_read(file->h5, path, H5_TYPE_REAL32, 0, pixels, plane, err);
}

int dplearn_read(struct dplearn *file, size_t i, float *pixels, struct err *err)
{
    const size_t side = (size_t)file->side, bands = (size_t)file->bands;
    float *img = file->planes, *ivar = img + side * side * bands;
    int code = read_plane(file, i, "img", img, err);
    if (!code)
        code = read_plane(file, i, "ivar", ivar, err);
    for (size_t x = 0; x < side && !code; x++) {
        for (size_t y = 0; y < side; y++) {
            for (size_t b = 0; b < bands; b++) {
                const size_t from = (x * side + y) * bands + b, to = ((y * side + x) * bands + b) * 2;
                pixels[to] = img[from];
                pixels[to + 1] = ivar[from];
            }
        }
    }
    return code;
}

/* mag_g of the ids that sorted_ids.fits lists, NaN of the others. That file is a help, not a need. */
static void read_magnitudes(struct dplearn *file, const char *directory)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "sorted_ids.fits");
    CLEANUP(table_close_ptr) struct table *table = NULL;
    for (size_t i = 0; i < file->count; i++)
        file->mag_g[i] = NAN;
    if (!path_exists(path) || table_open(&table, path, NULL) != 0)
        return;
    const size_t rows = table_rows(table);
    CLEANUP(free_ptr) int64_t *ids = calloc(rows + 1, sizeof *ids);
    CLEANUP(free_ptr) double *mags = calloc(rows + 1, sizeof *mags);
    if (!ids || !mags || table_read_ints(table, "id", ids, NULL) != 0 ||
        table_read_reals(table, "mag_g", 0, mags, NULL) != 0)
        return;
    for (size_t row = 0; row < rows; row++) {
        const int64_t *found = bsearch(&ids[row], file->ids, file->count, sizeof *ids, compare_ids);
        if (found)
            file->mag_g[found - file->ids] = (float)mags[row];
    }
}

static int make_columns(struct dplearn *file, struct err *err)
{
    CLEANUP(free_ptr) char *directory = path_directory(h5_path(file->h5));
    const char *brick = path_name(directory);
    const size_t width = strlen(brick) + !*brick;
    const bool edge = fnmatch("*_onedge.hdf5", h5_path(file->h5), 0) == 0;
    file->bricks = calloc(file->count + 1, width);
    file->edge = calloc(file->count + 1, sizeof *file->edge);
    file->mag_g = calloc(file->count + 1, sizeof *file->mag_g);
    if (!file->bricks || !file->edge || !file->mag_g)
        return err_set(err, -ENOMEM, "out of memory for %s", h5_path(file->h5));
    for (size_t i = 0; i < file->count; i++) {
        memcpy(file->bricks + i * width, brick, strlen(brick));
        file->edge[i] = edge;
    }
    read_magnitudes(file, directory);
    const struct cutout_column columns[COLUMNS] = {
        {"id", CUTOUT_INT64, 0, NULL, file->ids},
        {"brickname", CUTOUT_TEXT, width, NULL, file->bricks},
        {"edge", CUTOUT_INT64, 0, NULL, file->edge},
        {"mag_g", CUTOUT_REAL32, 0, "mag", file->mag_g},
    };
    memcpy(file->columns, columns, sizeof columns);
    return 0;
}

int dplearn_columns(struct dplearn *file, const struct cutout_column **columns, size_t *count,
                    struct err *err)
{
    int code = file->edge ? 0 : make_columns(file, err);
    *columns = file->columns;
    *count = COLUMNS;
    return code;
}
