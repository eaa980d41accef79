/* A picture in memory, 8-bit RGB, row 0 at the top; PNG by libpng, JPEG by libjpeg. Drawing outside is cut off. */
#ifndef DECOY_REPORT_PICTURE_H
#define DECOY_REPORT_PICTURE_H

#include "common/cleanup.h"
#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

struct rgb {
    uint8_t r, g, b;
};

struct picture {
    int width_px, height_px;
    struct rgb *pixels; /* height x width */
};

/* Filled with one colour. NULL without memory. */
struct picture *picture_create(int width_px, int height_px, struct rgb colour);
void picture_destroy(struct picture *picture);
CLEANUP_DEFINE(picture_destroy_ptr, struct picture, picture_destroy)

void picture_fill(struct picture *picture, int x, int y, int width_px, int height_px, struct rgb colour);

/* One pixel of an image shown as a block of zoom x zoom. */
static inline void picture_block(struct picture *picture, int x, int y, int zoom, struct rgb colour)
{
    picture_fill(picture, x, y, zoom, zoom, colour);
}

/* Text of printable ASCII (others show as '?'), its top left at (x, y); a character is 8 x 13 pixels times
 * zoom. */
enum { PICTURE_TEXT_WIDTH_PX = 8, PICTURE_TEXT_HEIGHT_PX = 13 };
void picture_text(struct picture *picture, int x, int y, int zoom, struct rgb colour, const char *text);

/* A whole PNG file in fresh memory, the caller's to free. */
int picture_encode_png(const struct picture *picture, void **png, size_t *size, struct err *err);
/* The same as JPEG of this quality (1 to 100), without subsampling of colours. */
int picture_encode_jpeg(const struct picture *picture, int quality, void **jpeg, size_t *size, struct err *err);
int picture_publish_png(const struct picture *picture, const char *path, struct err *err);

#endif
