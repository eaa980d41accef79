/* See cutout_writer.h. HDF5 makes the file and says where `image` lies; stamps are written there past it. Where rows
 * are left out in the end, which is rare, the others are copied to a new file. */
#include "daemon/worker/dataset/cutout_writer.h"
#include "common/str.h"
#include "daemon/worker/dataset/h5.h"
#include "daemon/worker/dataset/half.h"

#include <errno.h>
#include <math.h>
#include <string.h>

struct cutout_writer {
    struct h5 *h5;
    char *path;
    bool *put;   /* which rows were */
    size_t rows; /* how many were */
    struct cutout_shape shape;
    int64_t offset;   /* of `image` in the file */
    size_t numbers;   /* a stamp's */
    float *divisors;  /* of each channel, where half */
    uint16_t *halves; /* a stamp's */
};

static const enum h5_type TYPES[] = {
    [CUTOUT_INT64] = H5_TYPE_INT64,
    [CUTOUT_REAL64] = H5_TYPE_REAL64,
    [CUTOUT_REAL32] = H5_TYPE_REAL32,
    [CUTOUT_TEXT] = H5_TYPE_TEXT,
};

void cutout_writer_discard(struct cutout_writer *writer)
{
    if (!writer)
        return;
    h5_close(writer->h5);
    free(writer->path);
    free(writer->put);
    free(writer->divisors);
    free(writer->halves);
    free(writer);
}

static int write_named(struct h5 *file, const char *object, const char *name, json_t *value, struct err *err)
{
    json_t *attributes = json_pack("{so}", name, value);
    int code = attributes ? h5_write_attributes(file, object, attributes, err) : -ENOMEM;
    json_decref(attributes);
    return code;
}

static size_t stamp_bytes(const struct cutout_writer *writer)
{
    return writer->numbers * (writer->shape.half ? sizeof *writer->halves : sizeof(float));
}

/* Names of the channels and, in float16, their scales. */
static int write_channels(struct cutout_writer *writer, struct err *err)
{
    json_t *names = json_array(), *scales = json_array();
    for (int c = 0; c < writer->shape.channel_count; c++) {
        json_array_append_new(names, json_string(writer->shape.channels[c]));
        json_array_append_new(scales, json_real((double)writer->divisors[c]));
    }
    int code = write_named(writer->h5, "image", "channels", names, err);
    if (!code && writer->shape.half)
        code = write_named(writer->h5, "image", "scale", json_incref(scales), err);
    json_decref(scales);
    return code;
}

/* A new file with room for `count` stamps. */
static int start_file(struct cutout_writer *writer, size_t count, struct err *err)
{
    const size_t side = (size_t)writer->shape.stamp;
    const size_t sizes[] = {count, side, side, (size_t)writer->shape.channel_count};
    int code = h5_create(&writer->h5, writer->path, err);
    if (!code)
        code = h5_make_at(writer->h5, "image", writer->shape.half ? H5_TYPE_REAL16 : H5_TYPE_REAL32, 4, sizes,
                          &writer->offset, err);
    return code ? code : write_channels(writer, err);
}

int cutout_writer_open(struct cutout_writer **out, const char *path, const struct cutout_shape *shape,
                       struct err *err)
{
    CLEANUP(cutout_writer_discard_ptr) struct cutout_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    const size_t channels = (size_t)shape->channel_count;
    writer->shape = *shape;
    writer->path = str_format("%s", path);
    writer->numbers = (size_t)shape->stamp * (size_t)shape->stamp * channels;
    writer->put = calloc(shape->count + 1, sizeof *writer->put);
    writer->divisors = calloc(channels, sizeof *writer->divisors);
    writer->halves = malloc(writer->numbers * sizeof *writer->halves);
    if (!writer->put || !writer->divisors || !writer->halves)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    for (size_t c = 0; c < channels; c++)
        writer->divisors[c] = strncmp(shape->channels[c], "ivar", 4) == 0 ? CUTOUT_IVAR_SCALE : 1;
    int code = start_file(writer, shape->count, err);
    if (!code)
        *out = TAKE(writer);
    return code;
}

static int narrow(const struct cutout_writer *writer, size_t row, const float *image, struct err *err)
{
    const size_t channels = (size_t)writer->shape.channel_count;
    for (size_t i = 0; i < writer->numbers; i++) {
        float value = image[i] / writer->divisors[i % channels];
        if (fabsf(value) > HALF_MAX)
            return err_set(err, -ERANGE, "stamp %zu: %g in channel %s is beyond float16; use --dtype float32",
                           row, (double)image[i], writer->shape.channels[i % channels]);
        writer->halves[i] = half_from_float(value);
    }
    return 0;
}

int cutout_writer_put(struct cutout_writer *writer, size_t row, const float *image, struct err *err)
{
    const bool half = writer->shape.half;
    const size_t bytes = stamp_bytes(writer);
    int code = half ? narrow(writer, row, image, err) : 0;
    if (!code)
        code = h5_put(writer->h5, writer->offset + (int64_t)(row * bytes),
                      half ? (const void *)writer->halves : image, bytes, err);
    writer->rows += !code && !writer->put[row];
    writer->put[row] = writer->put[row] || !code;
    return code;
}

/* The rows that were put, one after the other, in a new file. */
static int leave_out(struct cutout_writer *writer, struct err *err)
{
    CLEANUP(h5_close_ptr) struct h5 *old = TAKE(writer->h5);
    const int64_t old_offset = writer->offset, bytes = (int64_t)stamp_bytes(writer);
    CLEANUP(free_ptr) void *stamp = malloc((size_t)bytes);
    int64_t to = 0;
    int code =
        stamp ? start_file(writer, writer->rows, err) : err_set(err, -ENOMEM, "out of memory for a stamp");
    for (size_t row = 0; row < writer->shape.count && !code; row++) {
        if (!writer->put[row])
            continue;
        code = h5_get(old, old_offset + (int64_t)row * bytes, stamp, (size_t)bytes, err);
        if (!code)
            code = h5_put(writer->h5, writer->offset + to++ * bytes, stamp, (size_t)bytes, err);
    }
    return code;
}

static int write_column(struct h5 *file, const struct cutout_column *column, size_t count, struct err *err)
{
    int code =
        h5_write(file, column->name, TYPES[column->type], column->width, 1, &count, column->values, err);
    if (code || !column->unit)
        return code;
    return write_named(file, column->name, "unit", json_string(column->unit), err);
}

int cutout_writer_finish(struct cutout_writer *writer, const struct cutout_column *columns,
                         size_t column_count, const json_t *attributes, uint64_t *checksum, struct err *err)
{
    int code = writer->rows < writer->shape.count ? leave_out(writer, err) : 0;
    for (size_t i = 0; i < column_count && !code; i++)
        code = write_column(writer->h5, &columns[i], writer->rows, err);
    if (!code && attributes)
        code = h5_write_attributes(writer->h5, "/", attributes, err);
    return code ? code : h5_finish(writer->h5, checksum, err);
}

int cutout_writer_publish(struct cutout_writer *writer, struct err *err)
{
    int code = h5_publish(TAKE(writer->h5), err);
    cutout_writer_discard(writer);
    return code;
}

int cutout_file_publish(const char *path, const float *images, size_t count, int stamp,
                        const char *const *channels, int channel_count, const struct cutout_column *columns,
                        size_t column_count, const json_t *attributes, struct err *err)
{
    const struct cutout_shape shape = {count, stamp, channel_count, channels, false};
    CLEANUP(cutout_writer_discard_ptr) struct cutout_writer *writer = NULL;
    uint64_t checksum;
    int code = cutout_writer_open(&writer, path, &shape, err);
    for (size_t i = 0; i < count && !code; i++)
        code = cutout_writer_put(writer, i, images + i * writer->numbers, err);
    if (!code)
        code = cutout_writer_finish(writer, columns, column_count, attributes, &checksum, err);
    return code ? code : cutout_writer_publish(TAKE(writer), err);
}
