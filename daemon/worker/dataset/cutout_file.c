/* See cutout_file.h. `image` is contiguous: rows are read with pread, past HDF5, when the file says that they
 * lie there as plain little-endian float32 (all files that cutout_file_publish writes); other layouts
 * (chunks, compression, another type) are read by HDF5. The channel names are the attribute `channels` of
 * `image`, a column's unit its attribute `unit`. */
#include "daemon/worker/dataset/cutout_file.h"
#include "common/file.h"
#include "common/str.h"
#include "daemon/worker/dataset/h5.h"
#include "daemon/worker/dataset/half.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct cutout_file {
    struct h5 *h5;
    int fd;               /* for pread, once that is wanted */
    int64_t plain_offset; /* of image's first row, or -1 */
    float *scale;         /* of each channel, of float16; NULL without */
    size_t count;
    int stamp, channels;
    bool half;
    json_t *channel_names, *attributes;
    struct cutout_column *columns; /* once listed; with values once read; their units are fresh memory */
    char **names;
    size_t column_count;
};

static const enum h5_type TYPES[] = {
    [CUTOUT_INT64] = H5_TYPE_INT64,
    [CUTOUT_REAL64] = H5_TYPE_REAL64,
    [CUTOUT_REAL32] = H5_TYPE_REAL32,
    [CUTOUT_TEXT] = H5_TYPE_TEXT,
};

static int check_image(struct cutout_file *file, struct err *err)
{
    enum { SIDE_MAX = 4096, CHANNELS_MAX = 64 };
    struct h5_shape shape;
    int code = h5_shape(file->h5, "image", &shape, err);
    if (code)
        return code;
    if (shape.rank != 4 ||
        (shape.type != H5_TYPE_REAL16 && shape.type != H5_TYPE_REAL32 && shape.type != H5_TYPE_REAL64) ||
        shape.sizes[1] != shape.sizes[2] || shape.sizes[1] < 1 || shape.sizes[1] > SIDE_MAX ||
        shape.sizes[3] < 1 || shape.sizes[3] > CHANNELS_MAX)
        return err_set(
            err, -EINVAL,
            "%s, image is not real numbers in the shape (object, y, x, channel) with square stamps",
            h5_path(file->h5));
    file->count = shape.sizes[0];
    file->stamp = (int)shape.sizes[1];
    file->channels = (int)shape.sizes[3];
    file->plain_offset = h5_plain_offset(file->h5, "image");
    file->half = shape.type == H5_TYPE_REAL16;
    return 0;
}

/* What pixels are to be multiplied with: the attribute `scale`, where there is one. Such are read by HDF5. */
static int read_scale(struct cutout_file *file, const json_t *scale, struct err *err)
{
    if (!scale)
        return 0;
    if (json_array_size(scale) != (size_t)file->channels || !json_is_number(json_array_get(scale, 0)))
        return err_set(err, -EINVAL, "%s, image has an attribute `scale` that is not %d numbers",
                       h5_path(file->h5), file->channels);
    file->scale = calloc((size_t)file->channels, sizeof *file->scale);
    for (int c = 0; file->scale && c < file->channels; c++)
        file->scale[c] = (float)json_number_value(json_array_get(scale, (size_t)c));
    file->plain_offset = -1;
    return file->scale ? 0 : err_set(err, -ENOMEM, "out of memory for %s", h5_path(file->h5));
}

static int read_channel_names(struct cutout_file *file, struct err *err)
{
    json_t *attributes;
    int code = h5_read_attributes(file->h5, "image", &attributes, err);
    if (code)
        return code;
    json_t *names = json_object_get(attributes, "channels");
    if (json_array_size(names) != (size_t)file->channels || !json_is_string(json_array_get(names, 0)))
        code = err_set(err, -EINVAL, "%s, image has no attribute `channels` with %d names", h5_path(file->h5),
                       file->channels);
    else
        file->channel_names = json_incref(names);
    if (!code)
        code = read_scale(file, json_object_get(attributes, "scale"), err);
    json_decref(attributes);
    return code;
}

int cutout_file_open(struct cutout_file **out, const char *path, struct err *err)
{
    CLEANUP(cutout_file_close_ptr) struct cutout_file *file = calloc(1, sizeof *file);
    if (!file)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    file->fd = -1;
    int code = h5_open(&file->h5, path, err);
    if (!code)
        code = check_image(file, err);
    if (!code)
        code = read_channel_names(file, err);
    if (!code)
        code = h5_read_attributes(file->h5, "/", &file->attributes, err);
    if (!code)
        *out = TAKE(file);
    return code;
}

void cutout_file_close(struct cutout_file *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->column_count; i++) {
        free((void *)file->columns[i].values);
        free((void *)file->columns[i].unit);
    }
    free(file->columns);
    free(file->scale);
    free(file->names);
    json_decref(file->channel_names);
    json_decref(file->attributes);
    close_fd(&file->fd);
    h5_close(file->h5);
    free(file);
}

size_t cutout_file_count(const struct cutout_file *file)
{
    return file->count;
}

int cutout_file_stamp(const struct cutout_file *file)
{
    return file->stamp;
}

int cutout_file_channels(const struct cutout_file *file)
{
    return file->channels;
}

const char *cutout_file_channel_name(const struct cutout_file *file, int channel)
{
    const char *name = json_string_value(json_array_get(file->channel_names, (size_t)channel));
    return name ? name : "";
}

json_t *cutout_file_attributes(const struct cutout_file *file)
{
    return file->attributes;
}

int64_t cutout_file_plain_offset(const struct cutout_file *file)
{
    return file->plain_offset;
}

/* Halves are turned into floats here, which HDF5 would do slowly. They lie in the upper part of images until then.
 */
static int read_by_hdf5(struct cutout_file *file, size_t first, size_t count, float *images, struct err *err)
{
    const size_t channels = (size_t)file->channels, stamp = (size_t)file->stamp;
    const size_t numbers = count * stamp * stamp * channels;
    uint16_t *halves = (uint16_t *)images + numbers;
    int code = h5_read_rows(file->h5, "image", file->half ? H5_TYPE_REAL16 : H5_TYPE_REAL32, 0, first, count,
                            file->half ? (void *)halves : images, err);
    for (size_t i = 0; i < numbers && !code && file->half; i++) {
        uint16_t half;
        memcpy(&half, halves + i, sizeof half);
        images[i] = half_to_float(half);
    }
    for (size_t i = 0; i < numbers && !code && file->scale; i++)
        images[i] *= file->scale[i % channels];
    return code;
}

int cutout_file_read_images(struct cutout_file *file, size_t first, size_t count, float *images,
                            struct err *err)
{
    if (first > file->count || count > file->count - first)
        return err_set(err, -EINVAL, "%s has %zu stamps, fewer than the %zu wanted", h5_path(file->h5),
                       file->count, first + count);
    if (file->plain_offset < 0)
        return read_by_hdf5(file, first, count, images, err);
    if (file->fd < 0 && (file->fd = open(h5_path(file->h5), O_RDONLY | O_CLOEXEC)) < 0)
        return err_set(err, -errno, "cannot read %s: %s", h5_path(file->h5), strerror(errno));
    size_t row_bytes = (size_t)file->stamp * (size_t)file->stamp * (size_t)file->channels * sizeof *images;
    return file_pread(file->fd, h5_path(file->h5), file->plain_offset + (int64_t)(first * row_bytes), images,
                      count * row_bytes, err);
}

static enum cutout_type column_type(enum h5_type type)
{
    switch (type) {
    case H5_TYPE_TEXT:
        return CUTOUT_TEXT;
    case H5_TYPE_REAL16:
    case H5_TYPE_REAL32:
        return CUTOUT_REAL32;
    case H5_TYPE_REAL64:
        return CUTOUT_REAL64;
    default:
        return CUTOUT_INT64;
    }
}

static int list_column(struct cutout_file *file, const char *name, struct cutout_column *column,
                       struct err *err)
{
    struct h5_shape shape;
    char *unit = NULL;
    int code = h5_describe(file->h5, name, "unit", &shape, &unit, err);
    if (code)
        return code;
    *column = (struct cutout_column){name, column_type(shape.type), shape.width, unit, NULL};
    if (shape.rank == 1 && shape.sizes[0] == file->count)
        return 0;
    free(unit);
    return err_set(err, -EINVAL, "%s, column %s has not one value for each of the %zu stamps",
                   h5_path(file->h5), name, file->count);
}

int cutout_file_list_columns(struct cutout_file *file, const struct cutout_column **columns, size_t *count,
                             struct err *err)
{
    size_t name_count = 0;
    int code = file->columns ? 0 : h5_names(file->h5, "/", &file->names, &name_count, err);
    if (!code && !file->columns && !(file->columns = calloc(name_count + 1, sizeof *file->columns)))
        return err_set(err, -ENOMEM, "out of memory for %s", h5_path(file->h5));
    for (size_t i = 0; i < name_count && !code; i++) {
        if (strcmp(file->names[i], "image") == 0)
            continue;
        code = list_column(file, file->names[i], &file->columns[file->column_count], err);
        file->column_count += !code;
    }
    *columns = file->columns;
    *count = file->column_count;
    return code;
}

/* Where they were not read yet. */
static int read_values(struct cutout_file *file, struct cutout_column *column, struct err *err)
{
    if (column->values)
        return 0;
    CLEANUP(free_ptr)
    void *values = calloc(file->count + 1, h5_item_size(TYPES[column->type], column->width));
    if (!values)
        return err_set(err, -ENOMEM, "out of memory for %s, column %s", h5_path(file->h5), column->name);
    int code =
        h5_read_rows(file->h5, column->name, TYPES[column->type], column->width, 0, file->count, values, err);
    if (!code)
        column->values = TAKE(values);
    return code;
}

int cutout_file_read_columns(struct cutout_file *file, const struct cutout_column **columns, size_t *count,
                             struct err *err)
{
    int code = cutout_file_list_columns(file, columns, count, err);
    for (size_t i = 0; i < file->column_count && !code; i++)
        code = read_values(file, &file->columns[i], err);
    return code;
}

int cutout_file_read_column(struct cutout_file *file, const char *name, const struct cutout_column **column,
                            struct err *err)
{
    size_t count;
    *column = NULL;
    int code = cutout_file_list_columns(file, column, &count, err);
    for (size_t i = 0; i < count && !code; i++) {
        if (strcmp(file->columns[i].name, name) != 0)
            continue;
        *column = &file->columns[i];
        return read_values(file, &file->columns[i], err);
    }
    return code ? code : -ENOENT;
}
