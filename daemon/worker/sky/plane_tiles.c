/* See plane_tiles.h. Compressed images are read by packed.c, plain ones, gzipped or not, by CFITSIO, which gets to
 * see only headers that were checked. */
#include "daemon/worker/sky/plane_tiles.h"
#include "common/str.h"
#include "daemon/worker/sky/fits_input.h"
#include "daemon/worker/sky/packed.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { PLAIN_ROWS = 64 };

struct plane_tiles {
    char *path;
    struct plane plane;
    struct packed *packed; /* one of these two */
    fitsfile *file;
    float *scratch; /* a tile that CFITSIO has read */
    long width, height, across, down;
    size_t decoded;
};

void plane_tiles_close(struct plane_tiles *tiles)
{
    if (!tiles)
        return;
    packed_close(tiles->packed);
    fits_input_close(tiles->file);
    plane_free(&tiles->plane);
    free(tiles->scratch);
    free(tiles->path);
    free(tiles);
}

/* Where the file has a DATASUM; only this shows damage that leaves a tile decodable. */
static int check_sum(fitsfile *file, const char *path, struct err *err)
{
    int data = 0, hdu = 0, status = 0;
    if (fits_verify_chksum(file, &data, &hdu, &status))
        return fits_input_failed(status, "check the sum of", path, err);
    return data < 0 ? err_set(err, -EIO, "%s is damaged: its data do not match its DATASUM", path) : 0;
}

/* CFITSIO has understood the header as we have: it would trust its own reading. */
static int check_agreement(fitsfile *file, const struct plane *plane, const char *path, struct err *err)
{
    int axes = 0, type = 0, status = 0;
    LONGLONG sides[2] = {0, 0};
    fits_get_hdu_type(file, &type, &status);
    bool packed = fits_is_compressed_image(file, &status);
    fits_get_img_dim(file, &axes, &status);
    fits_get_img_sizell(file, 2, sides, &status);
    if (status)
        return fits_input_failed(status, "read the header of", path, err);
    if (type != IMAGE_HDU || packed || axes != 2 || sides[0] != plane->width || sides[1] != plane->height)
        return err_set(err, -EINVAL, "%s: the header of its image contradicts itself", path);
    return 0;
}

/* Opens a plain image whose header was checked; the file is long enough for it. */
static int open_plain(struct plane_tiles *tiles, const struct fits_header *header,
                      const struct plane_layout *layout, struct err *err)
{
    const struct plane *plane = &tiles->plane;
    int status = 0, code = fits_input_open(&tiles->file, tiles->path, err);
    if (!code && fits_movabs_hdu(tiles->file, fits_header_hdu(header), NULL, &status))
        code = fits_input_failed(status, "read the header of", tiles->path, err);
    if (!code)
        code = check_agreement(tiles->file, plane, tiles->path, err);
    if (!code)
        code = fits_input_check_size(tiles->file, llabs(layout->bits) / 8 * plane->width * plane->height,
                                     tiles->path, err);
    if (!code)
        code = check_sum(tiles->file, tiles->path, err);
    tiles->width = plane->width;
    tiles->height = plane->height < PLAIN_ROWS ? plane->height : PLAIN_ROWS;
    tiles->scratch = code ? NULL : malloc((size_t)(tiles->width * tiles->height) * sizeof *tiles->scratch);
    return code || tiles->scratch ? code : err_set(err, -ENOMEM, "out of memory for %s", tiles->path);
}

static int open_packed(struct plane_tiles *tiles, const struct fits_header *header,
                       const struct plane_layout *layout, struct err *err)
{
    tiles->width = (long)layout->width;
    tiles->height = (long)layout->height;
    return packed_open(&tiles->packed, header, layout, &tiles->plane, tiles->path, err);
}

int plane_tiles_open(struct plane_tiles **out, const char *path, struct err *err)
{
    CLEANUP(fits_header_close_ptr) struct fits_header *header = NULL;
    CLEANUP(plane_tiles_close_ptr) struct plane_tiles *tiles = calloc(1, sizeof *tiles);
    struct plane_layout layout = {0};
    int code = tiles ? fits_input_check(path, err) : err_set(err, -ENOMEM, "out of memory for %s", path);
    if (code)
        return code;
    tiles->path = str_format("%s", path);
    code = fits_header_open(&header, path, err);
    if (!code)
        code = plane_layout_read(&layout, header, &tiles->plane, path, err);
    if (!code)
        code = plane_layout_cards(header, &tiles->plane, path, err);
    if (!code)
        code = layout.packed ? open_packed(tiles, header, &layout, err)
                             : open_plain(tiles, header, &layout, err);
    if (code)
        return code;
    tiles->across = (tiles->plane.width + tiles->width - 1) / tiles->width;
    tiles->down = (tiles->plane.height + tiles->height - 1) / tiles->height;
    *out = TAKE(tiles);
    return 0;
}

const struct plane *plane_tiles_plane(const struct plane_tiles *tiles)
{
    return &tiles->plane;
}

long plane_tiles_width(const struct plane_tiles *tiles)
{
    return tiles->width;
}

long plane_tiles_height(const struct plane_tiles *tiles)
{
    return tiles->height;
}

size_t plane_tiles_decoded(const struct plane_tiles *tiles)
{
    return tiles->decoded;
}

size_t plane_tiles_count(const struct plane_tiles *tiles)
{
    return (size_t)(tiles->across * tiles->down);
}

/* A band of rows of a plain image. */
static int read_plain(struct plane_tiles *tiles, const struct tile *tile, struct err *err)
{
    long first[2] = {1, 1 + tile->number * tiles->height};
    int status = 0, any = 0;
    if (fits_read_pix(tiles->file, TFLOAT, first, (LONGLONG)tile->width * tile->height, NULL, tiles->scratch,
                      &any, &status))
        return fits_input_failed(status, "read the pixels of", tiles->path, err);
    for (long y = 0; y < tile->height; y++) {
        for (long x = 0; x < tile->width; x++) {
            float value = tiles->scratch[y * tile->width + x];
            tile->pixels[(size_t)y * tile->stride + (size_t)x] = isfinite(value) ? value : 0;
        }
    }
    return 0;
}

int plane_tiles_decode(struct plane_tiles *tiles, long column, long row, float *pixels, size_t stride,
                       struct err *err)
{
    long width = tiles->plane.width - column * tiles->width,
         height = tiles->plane.height - row * tiles->height;
    const struct tile tile = {.number = row * tiles->across + column,
                              .width = width < tiles->width ? width : tiles->width,
                              .height = height < tiles->height ? height : tiles->height,
                              .pixels = pixels,
                              .stride = stride};
    tiles->decoded++;
    return tiles->packed ? packed_decode(tiles->packed, &tile, err) : read_plain(tiles, &tile, err);
}
