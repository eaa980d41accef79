/* See stampfile.h. Of a file whose rows are plain float32 each row is read to its place; rows stored otherwise
 * (chunks, compression, float16) are read in blocks, for their chunks hold several. */
#include "daemon/worker/split/stampfile.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/listing.h"
#include "daemon/worker/split/dplearn.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

enum { BLOCK = 32 };

struct stampfile {
    char *path;
    struct cutout_file *cutouts; /* or NULL: */
    struct dplearn *dplearn;
    json_t *channels;
};

static bool is_dplearn(const char *path)
{
    return fnmatch("img_ivar_*.hdf5", path_name(path), 0) == 0;
}

bool stampfile_is_name(const char *name)
{
    return is_dplearn(name) || listing_is_cutouts(name);
}

static int open_cutouts(struct stampfile *stamps, const char *path, struct err *err)
{
    int code = cutout_file_open(&stamps->cutouts, path, err);
    stamps->channels = json_array();
    for (int c = 0; !code && c < cutout_file_channels(stamps->cutouts); c++)
        json_array_append_new(stamps->channels, json_string(cutout_file_channel_name(stamps->cutouts, c)));
    return code;
}

int stampfile_open(struct stampfile **out, const char *path, struct err *err)
{
    CLEANUP(stampfile_close_ptr) struct stampfile *stamps = calloc(1, sizeof *stamps);
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

void stampfile_close(struct stampfile *stamps)
{
    if (!stamps)
        return;
    cutout_file_close(stamps->cutouts);
    dplearn_close(stamps->dplearn);
    json_decref(stamps->channels);
    free(stamps->path);
    free(stamps);
}

size_t stampfile_count(const struct stampfile *stamps)
{
    return stamps->cutouts ? cutout_file_count(stamps->cutouts) : dplearn_count(stamps->dplearn);
}

int stampfile_side(const struct stampfile *stamps)
{
    return stamps->cutouts ? cutout_file_stamp(stamps->cutouts) : dplearn_side(stamps->dplearn);
}

json_t *stampfile_channels(const struct stampfile *stamps)
{
    return stamps->channels;
}

json_t *stampfile_attributes(const struct stampfile *stamps)
{
    return stamps->cutouts ? cutout_file_attributes(stamps->cutouts) : NULL;
}

bool stampfile_is_edge(const struct stampfile *stamps)
{
    return stamps->dplearn && fnmatch("*_onedge.hdf5", stamps->path, 0) == 0;
}

int stampfile_columns(struct stampfile *stamps, const struct cutout_column **columns, size_t *count,
                      struct err *err)
{
    if (stamps->cutouts)
        return cutout_file_read_columns(stamps->cutouts, columns, count, err);
    return dplearn_columns(stamps->dplearn, columns, count, err);
}

int stampfile_list_columns(struct stampfile *stamps, const struct cutout_column **columns, size_t *count,
                           struct err *err)
{
    if (stamps->cutouts)
        return cutout_file_list_columns(stamps->cutouts, columns, count, err);
    return dplearn_columns(stamps->dplearn, columns, count, err);
}

int stampfile_column(struct stampfile *stamps, const char *name, enum cutout_type type,
                     const struct cutout_column **column, struct err *err)
{
    const struct cutout_column *columns;
    size_t count = 0;
    int code = stampfile_list_columns(stamps, &columns, &count, err);
    *column = NULL;
    for (size_t i = 0; i < count && !code; i++) {
        if (columns[i].type == type && strcmp(columns[i].name, name) == 0)
            *column = &columns[i];
    }
    return *column && stamps->cutouts ? cutout_file_read_column(stamps->cutouts, name, column, err) : code;
}

char *stampfile_brick(struct stampfile *stamps, int label, struct err *err)
{
    const struct cutout_column *column = NULL;
    if (stampfile_count(stamps) && stampfile_column(stamps, "brickname", CUTOUT_TEXT, &column, err) != 0)
        return NULL;
    return column
               ? str_format("%.*s", (int)strnlen(column->values, column->width), (const char *)column->values)
               : listing_brick(stamps->path, label);
}

static int read_blocks(struct stampfile *stamps, size_t first, size_t count, float *const *pixels,
                       struct err *err)
{
    const size_t side = (size_t)stampfile_side(stamps),
                 items = side * side * json_array_size(stamps->channels);
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

int stampfile_read(struct stampfile *stamps, size_t first, size_t count, float *const *pixels,
                   struct err *err)
{
    int code = 0;
    if (stamps->cutouts && cutout_file_plain_offset(stamps->cutouts) < 0)
        return read_blocks(stamps, first, count, pixels, err);
    for (size_t i = 0; i < count && !code; i++)
        code = stamps->cutouts ? cutout_file_read_images(stamps->cutouts, first + i, 1, pixels[i], err)
                               : dplearn_read(stamps->dplearn, first + i, pixels[i], err);
    return code;
}
