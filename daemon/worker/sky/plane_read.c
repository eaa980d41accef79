/* Reads planes (plane.h). The header of a compressed image is checked before CFITSIO is let near its
 * pixels: CFITSIO 4.2 trusts tile sizes, block sizes and heap offsets, and a wrong one makes it run for ever
 * or out of its buffers. Refused: other axes than two, tiles larger than the image, compressions other than
 * Rice and gzip, and heap descriptors that point outside the file. */
#include "daemon/worker/sky/fits_input.h"
#include "daemon/worker/sky/plane.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SIDE_MAX = 30000, HDU_MAX = 64, KEY_MAX = 16 };

void plane_free(struct plane *plane)
{
    free(plane->pixels);
    free(plane->header);
    memset(plane, 0, sizeof *plane);
}

/* Moves to the first HDU that holds an image with data. */
static int find_image(fitsfile *file, const char *path, struct err *err)
{
    for (int hdu = 1; hdu <= HDU_MAX; hdu++) {
        int status = 0, type = 0;
        if (fits_movabs_hdu(file, hdu, &type, &status)) {
            if (status != END_OF_FILE)
                return fits_input_failed(status, "read the header of", path, err);
            fits_clear_errmsg();
            break;
        }
        if (fits_is_compressed_image(file, &status) ||
            (type == IMAGE_HDU && fits_input_key(file, "NAXIS", 0) > 0))
            return 0;
    }
    return err_set(err, -EINVAL, "%s holds no image", path);
}

static int check_sides(long long axes, long long width, long long height, const char *path, struct err *err)
{
    if (axes != 2)
        return err_set(err, -EINVAL, "the image in %s has %lld axes where 2 are expected", path, axes);
    if (width < 1 || width > SIDE_MAX || height < 1 || height > SIDE_MAX)
        return err_set(err, -EINVAL, "the image in %s is %lld x %lld px; 1 to %d a side can be read", path,
                       width, height, SIDE_MAX);
    return 0;
}

/* RICE_1 with a block size of 0 makes CFITSIO's decoder loop for ever. */
static int check_rice(fitsfile *file, const char *path, struct err *err)
{
    for (int i = 1; i <= 8; i++) {
        char key[KEY_MAX], name[32];
        snprintf(key, sizeof key, "ZNAME%d", i);
        fits_input_text(file, key, name, sizeof name);
        snprintf(key, sizeof key, "ZVAL%d", i);
        long long value = fits_input_key(file, key, -1);
        if (strcmp(name, "BLOCKSIZE") == 0 && value != 16 && value != 32 && value != 64)
            return err_set(err, -EINVAL,
                           "%s: BLOCKSIZE %lld in its header is none that Rice compression uses", path,
                           value);
        if (strcmp(name, "BYTEPIX") == 0 && value != 1 && value != 2 && value != 4)
            return err_set(err, -EINVAL, "%s: BYTEPIX %lld in its header is none that Rice compression uses",
                           path, value);
    }
    return 0;
}

static int check_compression(fitsfile *file, struct plane *plane, const char *path, struct err *err)
{
    static const char *const known[] = {"RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS"};
    fits_input_text(file, "ZCMPTYPE", plane->compression, sizeof plane->compression);
    fits_input_text(file, "ZQUANTIZ", plane->quantize, sizeof plane->quantize);
    bool accepted = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        accepted = accepted || strcmp(plane->compression, known[i]) == 0;
    if (!accepted)
        return err_set(
            err, -EINVAL,
            "%s is compressed by %.20s; RICE_1, GZIP_1 and GZIP_2 can be read (fpack -r packs it anew)", path,
            plane->compression[0] ? plane->compression : "an unnamed method");
    long long dither = fits_input_key(file, "ZDITHER0", 1), bits = fits_input_key(file, "ZBITPIX", 0);
    if (dither < 0 || dither > 10000)
        return err_set(err, -EINVAL, "%s: ZDITHER0 %lld in its header is not within 1 to 10000", path,
                       dither);
    if (bits != 8 && bits != 16 && bits != 32 && bits != -32 && bits != -64)
        return err_set(err, -EINVAL, "%s: ZBITPIX %lld in its header is no FITS type", path, bits);
    return strncmp(plane->compression, "RICE", 4) == 0 ? check_rice(file, path, err) : 0;
}

/* Every tile's bytes lie within the heap. */
static int check_heap_column(fitsfile *file, const char *column, long rows, long long heap, const char *path,
                             struct err *err)
{
    int number = 0, type = 0, status = 0;
    fits_write_errmark();
    fits_get_colnum(file, CASEINSEN, (char *)column, &number, &status);
    fits_clear_errmark();
    if (status)
        return 0; /* an optional column */
    if (fits_get_coltype(file, number, &type, NULL, NULL, &status) || type >= 0)
        return err_set(err, -EINVAL, "%s: its column %s is not of variable length", path, column);
    long long size = type == -TSHORT                                      ? 2
                     : type == -TLONG || type == -TINT || type == -TFLOAT ? 4
                     : type == -TDOUBLE || type == -TLONGLONG             ? 8
                                                                          : 1;
    CLEANUP(free_ptr) LONGLONG *lengths = calloc((size_t)rows, sizeof *lengths);
    CLEANUP(free_ptr) LONGLONG *offsets = calloc((size_t)rows, sizeof *offsets);
    if (!lengths || !offsets)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    if (fits_read_descriptsll(file, number, 1, rows, lengths, offsets, &status))
        return fits_input_failed(status, "read the tiles of", path, err);
    for (long i = 0; i < rows; i++) {
        if (lengths[i] < 0 || offsets[i] < 0 || lengths[i] > heap / size ||
            offsets[i] > heap - lengths[i] * size)
            return err_set(err, -EIO, "%s is damaged: tile %ld lies outside of its data", path, i + 1);
    }
    return 0;
}

static int check_tiles(fitsfile *file, long width, long height, const char *path, struct err *err)
{
    static const char *const columns[] = {"COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA",
                                          "NULL_PIXEL_MASK"};
    long long tile_width = fits_input_key(file, "ZTILE1", width),
              tile_height = fits_input_key(file, "ZTILE2", 1);
    long long row_size = fits_input_key(file, "NAXIS1", -1), rows = fits_input_key(file, "NAXIS2", -1);
    long long extra = fits_input_key(file, "PCOUNT", -1);
    if (tile_width < 1 || tile_width > width || tile_height < 1 || tile_height > height)
        return err_set(err, -EINVAL, "%s: its tiles of %lld x %lld px do not fit into %ld x %ld px", path,
                       tile_width, tile_height, width, height);
    long long tiles = ((width + tile_width - 1) / tile_width) * ((height + tile_height - 1) / tile_height);
    if (rows != tiles || row_size < 8 || row_size > 4096 || extra < 0)
        return err_set(err, -EINVAL, "%s: its header has %lld rows of tiles where %lld are needed", path,
                       rows, tiles);
    int code =
        fits_input_check_size(file, extra > LLONG_MAX / 2 ? LLONG_MAX : row_size * rows + extra, path, err);
    long long heap = extra - (fits_input_key(file, "THEAP", row_size * rows) - row_size * rows);
    for (size_t i = 0; !code && i < sizeof columns / sizeof *columns; i++)
        code = check_heap_column(file, columns[i], (long)rows, heap > extra ? -1 : heap, path, err);
    return code;
}

/* All that can be known of the image before its pixels are asked for. */
static int check_image(fitsfile *file, struct plane *plane, const char *path, struct err *err)
{
    int status = 0;
    bool packed = fits_is_compressed_image(file, &status);
    long long width = fits_input_key(file, packed ? "ZNAXIS1" : "NAXIS1", 0),
              height = fits_input_key(file, packed ? "ZNAXIS2" : "NAXIS2", 0);
    int code = check_sides(fits_input_key(file, packed ? "ZNAXIS" : "NAXIS", 0), width, height, path, err);
    if (code)
        return code;
    plane->width = (long)width;
    plane->height = (long)height;
    if (!packed)
        return fits_input_check_size(file, llabs(fits_input_key(file, "BITPIX", 0)) / 8 * width * height,
                                     path, err);
    code = check_compression(file, plane, path, err);
    return code ? code : check_tiles(file, plane->width, plane->height, path, err);
}

/* The header as that of a plain image, in memory of our own. */
static int read_header(fitsfile *file, struct plane *plane, const char *path, struct err *err)
{
    char *cards = NULL;
    int count = 0, status = 0;
    if (fits_convert_hdr2str(file, 0, NULL, 0, &cards, &count, &status))
        return fits_input_failed(status, "read the header of", path, err);
    plane->header = strdup(cards);
    fits_free_memory(cards, &status);
    return plane->header ? 0 : err_set(err, -ENOMEM, "out of memory for %s", path);
}

static int read_pixels(fitsfile *file, struct plane *plane, const char *path, struct err *err)
{
    size_t count = (size_t)plane->width * (size_t)plane->height;
    long first[2] = {1, 1};
    int status = 0, any = 0;
    plane->pixels = malloc(count * sizeof *plane->pixels);
    if (!plane->pixels)
        return err_set(err, -ENOMEM, "out of memory for the %ld x %ld px of %s", plane->width, plane->height,
                       path);
    if (fits_read_pix(file, TFLOAT, first, (LONGLONG)count, NULL, plane->pixels, &any, &status))
        return fits_input_failed(status, "read the pixels of", path, err);
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(plane->pixels[i]))
            plane->pixels[i] = 0;
    }
    return 0;
}

int plane_read(struct plane *plane, const char *path, struct err *err)
{
    CLEANUP(fits_input_close_ptr) fitsfile *file = NULL;
    memset(plane, 0, sizeof *plane);
    int code = fits_input_open(&file, path, err);
    if (!code)
        code = find_image(file, path, err);
    if (!code)
        code = check_image(file, plane, path, err);
    if (!code)
        code = read_header(file, plane, path, err);
    if (!code)
        code = read_pixels(file, plane, path, err);
    if (code)
        plane_free(plane);
    return code;
}
