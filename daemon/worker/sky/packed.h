/* A Rice-compressed image (FITS standard 4.0, chapter 10), as fpack makes it: a table of tiles, in memory as it
 * is in the file, of which any may be decoded. Private to sky/. */
#ifndef DECOY_SKY_PACKED_H
#define DECOY_SKY_PACKED_H

#include "daemon/worker/sky/plane_layout.h"

struct packed;

/* Reads the data unit once, checks it against the header's DATASUM where there is one, and that every tile lies
 * within it. layout and plane are those of the header, which is not used afterwards. */
int packed_open(struct packed **out, const struct fits_header *header, const struct plane_layout *layout,
                const struct plane *plane, const char *path, struct err *err);
void packed_close(struct packed *packed);
CLEANUP_DEFINE(packed_close_ptr, struct packed, packed_close)

/* A tile to be decoded, and where to. */
struct tile {
    long number;        /* from 0, row after row of the image */
    long width, height; /* px; at the image's right and upper ends they may be less than others' */
    float *pixels;      /* of its first row */
    size_t stride;      /* from one row to the next */
};

/* What is not finite becomes 0. -EIO and a sentence when its bytes do not hold the tile. */
int packed_decode(struct packed *packed, const struct tile *tile, struct err *err);

#endif
