/* See picture.h. */
#include "daemon/worker/report/picture.h"
#include "common/file.h"
#include "daemon/worker/report/font.h"

#include <errno.h>
#include <png.h>
#include <string.h>

struct picture *picture_create(int width_px, int height_px, struct rgb colour)
{
    CLEANUP(picture_destroy_ptr) struct picture *picture = calloc(1, sizeof *picture);
    if (!picture)
        return NULL;
    picture->width_px = width_px;
    picture->height_px = height_px;
    picture->pixels = calloc((size_t)width_px * (size_t)height_px, sizeof *picture->pixels);
    if (!picture->pixels)
        return NULL;
    picture_fill(picture, 0, 0, width_px, height_px, colour);
    return TAKE(picture);
}

void picture_destroy(struct picture *picture)
{
    if (!picture)
        return;
    free(picture->pixels);
    free(picture);
}

static int clamp(int value, int least, int most)
{
    return value < least ? least : value > most ? most : value;
}

void picture_fill(struct picture *picture, int x, int y, int width_px, int height_px, struct rgb colour)
{
    int right = clamp(x + width_px, 0, picture->width_px),
        bottom = clamp(y + height_px, 0, picture->height_px);
    for (int row = clamp(y, 0, bottom); row < bottom; row++) {
        for (int column = clamp(x, 0, right); column < right; column++)
            picture->pixels[(size_t)row * (size_t)picture->width_px + (size_t)column] = colour;
    }
}

static void draw_letter(struct picture *picture, int x, int y, int zoom, struct rgb colour,
                        const unsigned char *rows)
{
    for (int row = 0; row < FONT_HEIGHT_PX; row++) {
        for (int column = 0; column < PICTURE_TEXT_WIDTH_PX; column++) {
            if (rows[row] >> (7 - column) & 1)
                picture_block(picture, x + column * zoom, y + row * zoom, zoom, colour);
        }
    }
}

void picture_text(struct picture *picture, int x, int y, int zoom, struct rgb colour, const char *text)
{
    for (; *text; text++, x += PICTURE_TEXT_WIDTH_PX * zoom) {
        unsigned char letter = (unsigned char)*text;
        if (letter < FONT_FIRST || letter > FONT_LAST)
            letter = '?';
        draw_letter(picture, x, y, zoom, colour, FONT_ROWS[letter - FONT_FIRST]);
    }
}

int picture_encode_png(const struct picture *picture, void **png, size_t *size, struct err *err)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)picture->width_px,
                       .height = (png_uint_32)picture->height_px,
                       .format = PNG_FORMAT_RGB};
    png_alloc_size_t needed = PNG_IMAGE_PNG_SIZE_MAX(image); /* an upper bound */
    CLEANUP(free_ptr) void *data = malloc(needed);
    if (!data)
        return err_set(err, -ENOMEM, "out of memory for a picture of %d x %d pixels", picture->width_px,
                       picture->height_px);
    if (!png_image_write_to_memory(&image, data, &needed, 0, picture->pixels, 0, NULL))
        return err_set(err, -EIO, "cannot encode a picture of %d x %d pixels: %s", picture->width_px,
                       picture->height_px, image.message);
    *size = needed;
    *png = TAKE(data);
    return 0;
}

int picture_publish_png(const struct picture *picture, const char *path, struct err *err)
{
    CLEANUP(free_ptr) void *png = NULL;
    size_t size = 0;
    int code = picture_encode_png(picture, &png, &size, err);
    return code ? err_prefix(err, "%s", path) : file_publish(path, png, size, err);
}
