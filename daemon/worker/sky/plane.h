/* One band's image or invvar of a brick: a FITS image, row-major, pixel (x, y) at pixels[y * width + x],
 * x and y 0-indexed. Units: nanomaggies, or 1/nanomaggies^2. */
#ifndef DECOY_SKY_PLANE_H
#define DECOY_SKY_PLANE_H

#include "common/cleanup.h"
#include "common/err.h"

#include <stddef.h>

struct plane {
    long width, height;
    float *pixels;
    char *header;         /* the header's cards, 80 characters each, no newlines, NUL at the end: for WCS */
    char compression[32]; /* ZCMPTYPE ("RICE_1" also for "RICE_ONE"), "" when not tile-compressed */
    char quantize[32];    /* ZQUANTIZ, "" without */
};

/* Reads the first HDU with data. Non-finite pixels become 0. The header is checked (two axes, each 1 to
 * 30000 px) before pixels are asked for. The caller ends it with plane_free; on failure there is nothing to free. */
int plane_read(struct plane *plane, const char *path, struct err *err);

/* Writes an fpacked file (RICE_1, tiles of 100 x 100, subtractive dither 2; quantize_level as
 * fits_set_quantize_level takes it, dither_seed 1..10000): aside, fsynced, renamed. The cards of
 * plane->header that say WCS, units and provenance are carried over. */
int plane_write(const struct plane *plane, const char *path, float quantize_level, int dither_seed,
                struct err *err);

/* Of CFITSIO, which reads what is not tile-compressed: "4.2.0". */
const char *plane_library_version(void);

void plane_free(struct plane *plane); /* its contents; the struct is the caller's */

#endif
