/* See stamps.h. Of a file whose rows are plain float32 each row is read to its place; rows stored otherwise
 * (chunks, compression, float16) are read in blocks, for their chunks hold several. */
#include "daemon/worker/split/stamps.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/split/dplearn.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

enum { BLOCK = 32 };

struct stamps {
    char *path;
    struct cutout_file *cutouts; /* or NULL: */
    struct dplearn *dplearn;
    json_t *channels;
};

static bool is_dplearn(const char *path)
{
    return fnmatch("img_ivar_*.hdf5", path_name(path), 0) == 0;
}

bool stamps_is_name(const char *name)
{
    return is_dplearn(name) || (name[0] != '.' && fnmatch("?*.h5", name, 0) == 0);
}

static int open_cutouts(struct stamps *stamps, const char *path, struct err *err)
{
    int code = cutout_file_open(&stamps->cutouts, path, err);
    stamps->channels = json_array();
    for (int c = 0; !code && c < cutout_file_channels(stamps->cutouts); c++)
        json_array_append_new(stamps->channels, json_string(cutout_file_channel_name(stamps->cutouts, c)));
    return code;
}

int stamps_open(struct stamps **out, const char *path, struct err *err)
{
    CLEANUP(stamps_close_ptr) struct stamps *stamps = calloc(1, sizeof *stamps);
    if (!stamps)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    stamps->path = str_format("%s", path);
    int code = is_dplearn(path) ? dplearn_open(&stamps->dplearn, path, err) : open_cutouts(stamps, path, err);
    if (!code && stamps->dplearn)
        stamps->channels = json_incref(dplearn_channels(stamps->dplearn));
    if (!code)
        *out = TAKE(stamps);
    return code;
}

void stamps_close(struct stamps *stamps)
{
    if (!stamps)
        return;
    cutout_file_close(stamps->cutouts);
    dplearn_close(stamps->dplearn);
    json_decref(stamps->channels);
    free(stamps->path);
    free(stamps);
}

size_t stamps_count(const struct stamps *stamps)
{
    return stamps->cutouts ? cutout_file_count(stamps->cutouts) : dplearn_count(stamps->dplearn);
}

int stamps_side(const struct stamps *stamps)
{
    return stamps->cutouts ? cutout_file_stamp(stamps->cutouts) : dplearn_side(stamps->dplearn);
}

json_t *stamps_channels(const struct stamps *stamps)
{
    return stamps->channels;
}

json_t *stamps_attributes(const struct stamps *stamps)
{
    return stamps->cutouts ? cutout_file_attributes(stamps->cutouts) : NULL;
}

bool stamps_is_edge(const struct stamps *stamps)
{
    return stamps->dplearn && fnmatch("*_onedge.hdf5", stamps->path, 0) == 0;
}

int stamps_columns(struct stamps *stamps, const struct cutout_column **columns, size_t *count,
                   struct err *err)
{
    if (stamps->cutouts)
        return cutout_file_read_columns(stamps->cutouts, columns, count, err);
    return dplearn_columns(stamps->dplearn, columns, count, err);
}

/* The column brickname's first value, or NULL. */
static char *brick_of_columns(const struct cutout_column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (columns[i].type == CUTOUT_TEXT && strcmp(columns[i].name, "brickname") == 0)
            return str_format("%.*s", (int)strnlen(columns[i].values, columns[i].width),
                              (const char *)columns[i].values);
    }
    return NULL;
}

/* Without the column: the file's name up to the last '-' (class fake) or the whole of it (class real). */
char *stamps_brick(struct stamps *stamps, int label, struct err *err)
{
    const struct cutout_column *columns;
    size_t count = 0;
    if (stamps_count(stamps) && stamps_columns(stamps, &columns, &count, err) != 0)
        return NULL;
    char *brick = brick_of_columns(columns, count);
    if (brick)
        return brick;
    brick = str_format("%s", path_name(stamps->path));
    char *end = label ? strrchr(brick, '-') : NULL;
    if (!end)
        end = strrchr(brick, '.');
    if (end)
        *end = '\0';
    return brick;
}

static int read_blocks(struct stamps *stamps, size_t first, size_t count, float *const *pixels,
                       struct err *err)
{
    const size_t side = (size_t)stamps_side(stamps), items = side * side * json_array_size(stamps->channels);
    CLEANUP(free_ptr) float *block = malloc(BLOCK * items * sizeof *block);
    int code = block ? 0 : err_set(err, -ENOMEM, "out of memory for %s", stamps->path);
    for (size_t done = 0; done < count && !code; done += BLOCK) {
        const size_t rows = count - done < BLOCK ? count - done : BLOCK;
        code = cutout_file_read_images(stamps->cutouts, first + done, rows, block, err);
        for (size_t i = 0; i < rows && !code; i++)
            memcpy(pixels[done + i], block + i * items, items * sizeof *block);
    }
    return code;
}

int stamps_read(struct stamps *stamps, size_t first, size_t count, float *const *pixels, struct err *err)
{
    int code = 0;
    if (stamps->cutouts && cutout_file_plain_offset(stamps->cutouts) < 0)
        return read_blocks(stamps, first, count, pixels, err);
    for (size_t i = 0; i < count && !code; i++)
        code = stamps->cutouts ? cutout_file_read_images(stamps->cutouts, first + i, 1, pixels[i], err)
                               : dplearn_read(stamps->dplearn, first + i, pixels[i], err);
    return code;
}
