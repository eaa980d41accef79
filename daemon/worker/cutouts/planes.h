/* A brick's planes side by side, and stamps cut from them in one sweep from the first row to the last: memory holds
 * the compressed files and the rows at hand, and a tile is decompressed once, if a stamp lies on it. */
#ifndef DECOY_CUTOUTS_PLANES_H
#define DECOY_CUTOUTS_PLANES_H

#include "common/cleanup.h"
#include "daemon/worker/cutouts/stamp.h"

#include <jansson.h>

enum { PLANES_MAX = 16 };

struct planes;

/* The files in channel order, read and checked; their images must be of one size. */
int planes_open(struct planes **out, char *const *paths, int count, int stamp_px, struct err *err);
void planes_close(struct planes *planes);
CLEANUP_DEFINE(planes_close_ptr, struct planes, planes_close)

/* Of the first file: size and header, no pixels. */
const struct plane *planes_first(const struct planes *planes);

/* Brings the part of the stamp that lies in the image to hand; corners come in the order of y. */
int planes_cover(struct planes *planes, struct corner corner, struct err *err);

/* The stamp that was covered, (stamp, stamp, planes) floats; outside the image 0. */
void planes_copy(const struct planes *planes, struct corner corner, float *image);

/* {"read", "all"}: how many tiles were decompressed, of how many. New reference. */
json_t *planes_tiles(const struct planes *planes);

/* "RICE_1", ... or "none", and "SUBTRACTIVE_DITHER_2", ...: one text when all planes have the same, else one a
 * plane. New references. */
json_t *planes_compression(const struct planes *planes);
json_t *planes_quantize(const struct planes *planes);

#endif
