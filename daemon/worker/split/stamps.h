/* A file of stamps to split, in either of two forms, told by its name:
 *
 *     <name>.h5                       decoy's cutout file (dataset/cutout_file.h)
 *     img_ivar_<bands>[_onedge].hdf5  the original's: groups <id>/img and <id>/ivar, float32 (x, y, band)
 *
 * Both give stamps as float32 (y, x, channel), channels g, ivar_g, r, ... */
#ifndef DECOY_SPLIT_STAMPS_H
#define DECOY_SPLIT_STAMPS_H

#include "daemon/worker/dataset/cutout_file.h"

#include <stdbool.h>

struct stamps;

/* Whether a file of this name is one of the two. */
bool stamps_is_name(const char *name);

int stamps_open(struct stamps **out, const char *path, struct err *err);
void stamps_close(struct stamps *stamps);
CLEANUP_DEFINE(stamps_close_ptr, struct stamps, stamps_close)

size_t stamps_count(const struct stamps *stamps);
int stamps_side(const struct stamps *stamps);
json_t *stamps_channels(const struct stamps *stamps);   /* names; borrowed */
json_t *stamps_attributes(const struct stamps *stamps); /* borrowed */
bool stamps_is_edge(const struct stamps *stamps);       /* the original's _onedge file */

/* Where the stamps come from; in fresh memory. label: of the file's class. */
char *stamps_brick(struct stamps *stamps, int label, struct err *err);

/* Columns as cutout_file_read_columns gives them; of the original's files: id, brickname and edge. */
int stamps_columns(struct stamps *stamps, const struct cutout_column **columns, size_t *count,
                   struct err *err);

/* Rows first .. first+count-1, row i to pixels[i]. */
int stamps_read(struct stamps *stamps, size_t first, size_t count, float *const *pixels, struct err *err);

#endif
