/* The original's file of stamps, hdf5/<AAA>/<brick>/img_ivar_<bands>[_onedge].hdf5: a group an object, named
 * by its id, with img and ivar, float32 (side, side, bands) = (x, y, band). Read as (y, x, channel) with the
 * channels interleaved: <band>, ivar_<band>, ... The brick is the directory's name. */
#ifndef DECOY_SPLIT_DPLEARN_H
#define DECOY_SPLIT_DPLEARN_H

#include "daemon/worker/dataset/cutout_file.h"

struct dplearn;

/* -EINVAL when a group's name is no number, or the stamps have not one shape. */
int dplearn_open(struct dplearn **out, const char *path, struct err *err);
void dplearn_close(struct dplearn *file);

size_t dplearn_count(const struct dplearn *file);
int dplearn_side(const struct dplearn *file);         /* 0 in a file without stamps */
json_t *dplearn_channels(const struct dplearn *file); /* borrowed */

/* Stamp i in the order of the ids, (side, side, channels). */
int dplearn_read(struct dplearn *file, size_t i, float *pixels, struct err *err);

/* id, brickname, edge (1: of an _onedge file), and mag_g where sorted_ids.fits lists the id. */
int dplearn_columns(struct dplearn *file, const struct cutout_column **columns, size_t *count,
                    struct err *err);

#endif
