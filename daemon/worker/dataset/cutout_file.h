/* Cutout files (HDF5), one a brick, run and class: `image` float32 (N, stamp, stamp, channels) = object, row
 * y, column x, channel, and one column dataset a property. Written whole: aside, fsynced, renamed. In float16,
 * `image` has an attribute `scale`, a number a channel: pixels are what is stored times that.
 *
 * Attributes of the file that others go by (each may be missing; split counts their values by class into the
 * dataset's manifest, audit compares them): `placement` (the rule), `cuts` (name or text), `compression` and
 * `quantize` (of the coadds, "RICE_1", "SUBTRACTIVE_DITHER_2", one text for all bands or an array), `version`
 * (decoy's), `release` (of the survey), `pixscale`. Those that differ from run to run (job, attempt, sources,
 * seed, brick, run) are kept in the file alone. */
#ifndef DECOY_DATASET_CUTOUT_FILE_H
#define DECOY_DATASET_CUTOUT_FILE_H

#include "common/cleanup.h"
#include "common/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum cutout_type { CUTOUT_INT64, CUTOUT_REAL64, CUTOUT_REAL32, CUTOUT_TEXT };

struct cutout_column {
    const char *name;
    enum cutout_type type;
    size_t width;       /* of CUTOUT_TEXT: bytes a row (fixed-length string, NUL-padded) */
    const char *unit;   /* attribute, or NULL */
    const void *values; /* one a row */
};

/* channels: e.g. {"g", "ivar_g", ...}. attributes: a JSON object of texts and numbers, written as attributes
 * of the file (cuts, placement rule, sources with checksums, version, job, attempt, seed). */
int cutout_file_publish(const char *path, const float *images, size_t count, int stamp,
                        const char *const *channels, int channel_count, const struct cutout_column *columns,
                        size_t column_count, const json_t *attributes, struct err *err);

struct cutout_file;

int cutout_file_open(struct cutout_file **out, const char *path, struct err *err);
void cutout_file_close(struct cutout_file *file);
CLEANUP_DEFINE(cutout_file_close_ptr, struct cutout_file, cutout_file_close)

size_t cutout_file_count(const struct cutout_file *file);
int cutout_file_stamp(const struct cutout_file *file);
int cutout_file_channels(const struct cutout_file *file);
const char *cutout_file_channel_name(const struct cutout_file *file, int channel); /* "g", "ivar_g", ... */
json_t *cutout_file_attributes(const struct cutout_file *file);                    /* borrowed */

/* Rows first .. first+count-1 of `image`. */
int cutout_file_read_images(struct cutout_file *file, size_t first, size_t count, float *images,
                            struct err *err);

/* Byte offset of image's first row where rows are plain little-endian float32, or -1: so that who reads
 * single rows of very many files need not open each by HDF5. */
int64_t cutout_file_plain_offset(const struct cutout_file *file);

/* The columns there are, all of the file's memory until it is closed. Listed, they have no values but those that
 * were read before; a column by name: -ENOENT, without a sentence, where there is none. */
int cutout_file_list_columns(struct cutout_file *file, const struct cutout_column **columns, size_t *count,
                             struct err *err);
int cutout_file_read_column(struct cutout_file *file, const char *name, const struct cutout_column **column,
                            struct err *err);
int cutout_file_read_columns(struct cutout_file *file, const struct cutout_column **columns, size_t *count,
                             struct err *err);

/* A numeric column by name, as reals or whole numbers, one a row. -ENOENT, without a sentence, where there is none. */
int cutout_file_reals(struct cutout_file *file, const char *name, double *values, struct err *err);
int cutout_file_ints(struct cutout_file *file, const char *name, int64_t *values, struct err *err);

#endif
