/* Writing a cutout file (cutout_file.h) stamp by stamp, in any order; on disk they go on their way at once, so that
 * little is left to wait for at the end. */
#ifndef DECOY_DATASET_CUTOUT_WRITER_H
#define DECOY_DATASET_CUTOUT_WRITER_H

#include "daemon/worker/dataset/cutout_file.h"

#include <stdbool.h>

struct cutout_shape {
    size_t count; /* stamps */
    int stamp, channel_count;
    const char *const *channels; /* {"g", "ivar_g", ...}; there until the writer has ended */
    bool half;                   /* float16: see CUTOUT_IVAR_SCALE */
};

/* What channels named ivar_* are divided by in float16, which ends at 65504; others are kept as they are. */
#define CUTOUT_IVAR_SCALE 1024.0f

struct cutout_writer;

/* Takes the disk space of all stamps. Nothing is at path before cutout_writer_publish. */
int cutout_writer_open(struct cutout_writer **out, const char *path, const struct cutout_shape *shape,
                       struct err *err);

/* Stamp number `row`: (stamp, stamp, channels) floats. -ERANGE when float16 cannot hold a pixel. */
int cutout_writer_put(struct cutout_writer *writer, size_t row, const float *image, struct err *err);

/* After the last stamp: columns and attributes as cutout_file_publish takes them, and XXH3-64 of the whole file. Rows
 * that were not put are left out, and columns have none for them. */
int cutout_writer_finish(struct cutout_writer *writer, const struct cutout_column *columns,
                         size_t column_count, const json_t *attributes, uint64_t *checksum, struct err *err);

/* Fsyncs and renames what was finished; frees the writer in any case. */
int cutout_writer_publish(struct cutout_writer *writer, struct err *err);
void cutout_writer_discard(struct cutout_writer *writer); /* NULL is fine */
CLEANUP_DEFINE(cutout_writer_discard_ptr, struct cutout_writer, cutout_writer_discard)

#endif
