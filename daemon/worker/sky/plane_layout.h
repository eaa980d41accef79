/* What the header of an image tells of how its pixels lie in the file, checked before anything acts on it:
 * CFITSIO 4.2 trusts tile sizes, block sizes and heap offsets, and a wrong one makes it stop with a floating
 * point exception, run for ever or run out of its buffers. Refused: other axes than two, tiles larger than the
 * image, compressions other than Rice and gzip. Private to sky/. */
#ifndef DECOY_SKY_PLANE_LAYOUT_H
#define DECOY_SKY_PLANE_LAYOUT_H

#include "daemon/worker/sky/fits_header.h"
#include "daemon/worker/sky/plane.h"

/* How the pixels lie in the file. */
struct plane_layout {
    bool packed;
    long long bits;                  /* BITPIX; of a packed image 8 */
    long long width, height;         /* of a tile of a packed image, px */
    long long block, pixel_size;     /* of Rice: pixels a block, bytes a pixel */
    long long rows, row_size, extra; /* of a packed image: table of tiles, bytes behind it */
    long long heap_at, heap;         /* of these, what the table points to; from the table's begin */
};

/* Also fills the plane's sizes, compression and quantize. */
int plane_layout_read(struct plane_layout *layout, const struct fits_header *header, struct plane *plane,
                      const char *path, struct err *err);

/* plane->header: the cards as those of a plain image, fresh memory. */
int plane_layout_cards(const struct fits_header *header, struct plane *plane, const char *path,
                       struct err *err);

#endif
