/* A file of stamps to split, in either of two forms, told by its name:
 *
 *     <name>.h5                       decoy's cutout file (dataset/cutout_file.h)
 *     img_ivar_<bands>[_onedge].hdf5  the original's: groups <id>/img and <id>/ivar, float32 (x, y, band)
 *
 * Both give stamps as float32 (y, x, channel), channels g, ivar_g, r, ... */
#ifndef DECOY_SPLIT_STAMPFILE_H
#define DECOY_SPLIT_STAMPFILE_H

#include "daemon/worker/dataset/cutout_file.h"

#include <stdbool.h>

struct stampfile;

/* Whether a file of this name is one of the two. */
bool stampfile_is_name(const char *name);

int stampfile_open(struct stampfile **out, const char *path, struct err *err);
void stampfile_close(struct stampfile *stamps);
CLEANUP_DEFINE(stampfile_close_ptr, struct stampfile, stampfile_close)

size_t stampfile_count(const struct stampfile *stamps);
int stampfile_side(const struct stampfile *stamps);
json_t *stampfile_channels(const struct stampfile *stamps);   /* names; borrowed */
json_t *stampfile_attributes(const struct stampfile *stamps); /* borrowed */
bool stampfile_is_edge(const struct stampfile *stamps);       /* the original's _onedge file */

/* Where the stamps come from; in fresh memory. label: of the file's class. */
char *stampfile_brick(struct stampfile *stamps, int label, struct err *err);

/* Columns as cutout_file_read_columns gives them; of the original's files: id, brickname and edge. */
int stampfile_columns(struct stampfile *stamps, const struct cutout_column **columns, size_t *count,
                      struct err *err);

/* The same without values, but for those that are at hand; and one column of this type with its values, NULL where
 * there is none. */
int stampfile_list_columns(struct stampfile *stamps, const struct cutout_column **columns, size_t *count,
                           struct err *err);
int stampfile_column(struct stampfile *stamps, const char *name, enum cutout_type type,
                     const struct cutout_column **column, struct err *err);

/* Rows first .. first+count-1, row i to pixels[i]. */
int stampfile_read(struct stampfile *stamps, size_t first, size_t count, float *const *pixels,
                   struct err *err);

#endif
