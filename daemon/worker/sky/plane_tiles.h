/* A plane tile by tile, so that only those wanted are decompressed. A plain image is read in tiles that are bands
 * of its rows. */
#ifndef DECOY_SKY_PLANE_TILES_H
#define DECOY_SKY_PLANE_TILES_H

#include "daemon/worker/sky/plane.h"

struct plane_tiles;

/* Checks the header, that all tiles lie within the file, and its DATASUM where it has one. */
int plane_tiles_open(struct plane_tiles **out, const char *path, struct err *err);
void plane_tiles_close(struct plane_tiles *tiles);
CLEANUP_DEFINE(plane_tiles_close_ptr, struct plane_tiles, plane_tiles_close)

/* All of the plane but its pixels, which are NULL; valid until it is closed. */
const struct plane *plane_tiles_plane(const struct plane_tiles *tiles);

/* Sides of a tile, px; those at the right and upper ends of the image may be smaller. */
long plane_tiles_width(const struct plane_tiles *tiles);
long plane_tiles_height(const struct plane_tiles *tiles);

/* The pixels of tile (column, row), from 0, into rows that lie `stride` apart. What is not finite becomes 0. */
int plane_tiles_decode(struct plane_tiles *tiles, long column, long row, float *pixels, size_t stride,
                       struct err *err);

/* How many were decoded, and how many there are. */
size_t plane_tiles_decoded(const struct plane_tiles *tiles);
size_t plane_tiles_count(const struct plane_tiles *tiles);

#endif
