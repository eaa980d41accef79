/* Reads planes (plane.h). The header is checked (fits_header.h) before CFITSIO sees the image: CFITSIO 4.2
 * trusts tile sizes, block sizes and heap offsets, and a wrong one makes it stop with a floating point
 * exception, run for ever or run out of its buffers. Refused: other axes than two, tiles larger than the
 * image, compressions other than Rice and gzip, and heap descriptors that point outside the file. */
#include "daemon/worker/sky/fits_header.h"
#include "daemon/worker/sky/fits_input.h"
#include "daemon/worker/sky/plane.h"
#include "daemon/worker/sky/rice.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SIDE_MAX = 30000, ROW_SIZE_MAX = 4096, CARD = 80 };

/* How the pixels lie in the file. */
struct tiles {
    bool packed;
    long long bits;                        /* BITPIX */
    long long width, height;               /* of a tile, px */
    long long block, pixel_size;           /* of Rice: pixels a block, bytes a pixel */
    long long rows, row_size, extra, heap; /* of a packed image: table, bytes behind it, those of the heap */
};

void plane_free(struct plane *plane)
{
    free(plane->pixels);
    free(plane->header);
    memset(plane, 0, sizeof *plane);
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

/* What a header keyword may be. */
struct allowed {
    const char *key;
    long long fallback;
    int count;
    long long values[6]; /* the only ones; with count 0: from values[0] to values[1] */
};

static bool allows(const struct allowed *allowed, long long value)
{
    if (!allowed->count)
        return value >= allowed->values[0] && value <= allowed->values[1];
    for (int i = 0; i < allowed->count; i++) {
        if (value == allowed->values[i])
            return true;
    }
    return false;
}

static int check_allowed(const struct fits_header *header, const struct allowed *allowed, const char *path,
                         struct err *err)
{
    long long value;
    int code = fits_header_int(header, allowed->key, allowed->fallback, &value, err);
    if (!code && !allows(allowed, value))
        code = err_set(err, -EINVAL, "%s: %s %lld in its header is none that this compression uses", path,
                       allowed->key, value);
    return code;
}

static int check_compression(const struct fits_header *header, struct plane *plane, const char *path,
                             struct err *err)
{
    static const char *const known[] = {"RICE_1", "GZIP_1", "GZIP_2", "NOCOMPRESS"};
    /* ZVAL1 and ZVAL2 are Rice's pixels a block and bytes a pixel; with a block of 0 CFITSIO loops for ever.
     */
    static const struct allowed keys[] = {{"TFIELDS", 0, 0, {1, 64}},
                                          {"ZDITHER0", 1, 0, {0, 10000}},
                                          {"ZBITPIX", 0, 5, {8, 16, 32, -32, -64}},
                                          {"ZVAL1", 32, 3, {16, 32, 64}},
                                          {"ZVAL2", 4, 3, {1, 2, 4}}};
    int code = fits_header_text(header, "ZCMPTYPE", plane->compression, sizeof plane->compression, err);
    if (!code)
        code = fits_header_text(header, "ZQUANTIZ", plane->quantize, sizeof plane->quantize, err);
    if (code)
        return code;
    if (strcmp(plane->compression, "RICE_ONE") == 0) /* CFITSIO's name for it beside SUBTRACTIVE_DITHER_2 */
        snprintf(plane->compression, sizeof plane->compression, "RICE_1");
    bool accepted = false, rice = strcmp(plane->compression, "RICE_1") == 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        accepted = accepted || strcmp(plane->compression, known[i]) == 0;
    if (!accepted)
        return err_set(
            err, -EINVAL,
            "%s is compressed by %.20s; RICE_1, GZIP_1 and GZIP_2 can be read (fpack -r packs it anew)", path,
            plane->compression[0] ? plane->compression : "an unnamed method");
    for (size_t i = 0; i < (rice ? 5 : 3) && !code; i++)
        code = check_allowed(header, &keys[i], path, err);
    return code;
}

/* The table of tiles has a row for each, and a heap behind it that holds what the rows point to. */
static int check_tiles(const struct fits_header *header, struct tiles *tiles, const struct plane *plane,
                       const char *path, struct err *err)
{
    long long start;
    int code = fits_header_int(header, "ZTILE1", plane->width, &tiles->width, err);
    if (!code)
        code = fits_header_int(header, "ZTILE2", 1, &tiles->height, err);
    if (!code)
        code = fits_header_int(header, "NAXIS1", -1, &tiles->row_size, err);
    if (!code)
        code = fits_header_int(header, "NAXIS2", -1, &tiles->rows, err);
    if (!code)
        code = fits_header_int(header, "PCOUNT", -1, &tiles->extra, err);
    if (!code)
        code = fits_header_int(header, "THEAP", tiles->row_size * tiles->rows, &start, err);
    if (code)
        return code;
    if (tiles->width < 1 || tiles->width > plane->width || tiles->height < 1 || tiles->height > plane->height)
        return err_set(err, -EINVAL, "%s: its tiles of %lld x %lld px do not fit into %ld x %ld px", path,
                       tiles->width, tiles->height, plane->width, plane->height);
    long long needed = ((plane->width + tiles->width - 1) / tiles->width) *
                       ((plane->height + tiles->height - 1) / tiles->height);
    if (tiles->rows != needed || tiles->row_size < 8 || tiles->row_size > ROW_SIZE_MAX)
        return err_set(err, -EINVAL, "%s: its header has %lld rows of tiles where %lld are needed", path,
                       tiles->rows, needed);
    long long table = tiles->row_size * tiles->rows;
    if (start < table || start - table > tiles->extra)
        return err_set(err, -EINVAL, "%s: THEAP %lld in its header lies outside of its data", path, start);
    tiles->heap = tiles->extra - (start - table);
    return 0;
}

/* All that the header tells, before CFITSIO acts on it. */
static int check_header(const struct fits_header *header, struct plane *plane, struct tiles *tiles,
                        const char *path, struct err *err)
{
    long long axes, width, height;
    tiles->packed = fits_header_packed(header);
    int code = fits_header_int(header, tiles->packed ? "ZNAXIS" : "NAXIS", 0, &axes, err);
    if (!code)
        code = fits_header_int(header, tiles->packed ? "ZNAXIS1" : "NAXIS1", 0, &width, err);
    if (!code)
        code = fits_header_int(header, tiles->packed ? "ZNAXIS2" : "NAXIS2", 0, &height, err);
    if (!code)
        code = fits_header_int(header, "BITPIX", 0, &tiles->bits, err);
    if (!code)
        code = check_sides(axes, width, height, path, err);
    if (code)
        return code;
    plane->width = (long)width;
    plane->height = (long)height;
    if (!tiles->packed)
        return 0;
    code = check_compression(header, plane, path, err);
    if (!code)
        code = fits_header_int(header, "ZVAL1", 32, &tiles->block, err);
    if (!code)
        code = fits_header_int(header, "ZVAL2", 4, &tiles->pixel_size, err);
    return code ? code : check_tiles(header, tiles, plane, path, err);
}

/* Bytes of an item of a column of variable length, by CFITSIO's negative type code; 0 for another. */
static long long item_size(int type)
{
    switch (-type) {
    case TBYTE:
    case TLOGICAL:
        return 1;
    case TSHORT:
        return 2;
    case TINT:
    case TLONG:
    case TFLOAT:
        return 4;
    case TLONGLONG:
    case TDOUBLE:
        return 8;
    default:
        return 0;
    }
}

/* A column that holds tiles: where each row's bytes lie in the heap. */
struct tile_column {
    int number, type; /* number 0: there is no such column */
    LONGLONG *lengths, *offsets;
};

static void tile_column_free(struct tile_column *column)
{
    free(column->lengths);
    free(column->offsets);
}

/* Reads a column's descriptors and checks that every tile's bytes lie within the heap. */
static int check_heap(fitsfile *file, const char *name, struct tile_column *column, const struct tiles *tiles,
                      const char *path, struct err *err)
{
    int status = 0;
    fits_write_errmark();
    fits_get_colnum(file, CASEINSEN, (char *)name, &column->number, &status);
    fits_clear_errmark();
    if (status) {
        column->number = 0;
        return 0;
    }
    fits_get_coltype(file, column->number, &column->type, NULL, NULL, &status);
    long long size = status ? 0 : item_size(column->type);
    if (!size)
        return err_set(err, -EINVAL, "%s: its column %s is not of variable length", path, name);
    column->lengths = calloc((size_t)tiles->rows, sizeof *column->lengths);
    column->offsets = calloc((size_t)tiles->rows, sizeof *column->offsets);
    if (!column->lengths || !column->offsets)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    if (fits_read_descriptsll(file, column->number, 1, tiles->rows, column->lengths, column->offsets,
                              &status))
        return fits_input_failed(status, "read the tiles of", path, err);
    for (long long i = 0; i < tiles->rows; i++) {
        if (column->lengths[i] < 0 || column->offsets[i] < 0 || column->lengths[i] > tiles->heap / size ||
            column->offsets[i] > tiles->heap - column->lengths[i] * size)
            return err_set(err, -EIO, "%s is damaged: tile %lld lies outside of its data", path, i + 1);
    }
    return 0;
}

/* Every Rice-compressed tile has the codes of all its pixels. */
static int check_rice(fitsfile *file, const struct tile_column *column, const struct tiles *tiles,
                      const struct plane *plane, const char *path, struct err *err)
{
    long long across = (plane->width + tiles->width - 1) / tiles->width, longest = 0;
    int status = 0, any = 0;
    if (column->number && column->type != -TBYTE)
        return err_set(err, -EINVAL, "%s: its column COMPRESSED_DATA holds no bytes", path);
    for (long long i = 0; column->number && i < tiles->rows; i++)
        longest = column->lengths[i] > longest ? column->lengths[i] : longest;
    CLEANUP(free_ptr) uint8_t *bytes = malloc((size_t)longest + 1);
    if (!bytes)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    for (long long i = 0; column->number && i < tiles->rows; i++) {
        long long x = i % across * tiles->width, y = i / across * tiles->height;
        long long width = plane->width - x < tiles->width ? plane->width - x : tiles->width;
        long long height = plane->height - y < tiles->height ? plane->height - y : tiles->height;
        if (!column->lengths[i])
            continue; /* in another column */
        if (fits_read_col(file, TBYTE, column->number, i + 1, 1, column->lengths[i], NULL, bytes, &any,
                          &status))
            return fits_input_failed(status, "read the tiles of", path, err);
        if (!rice_complete(bytes, (size_t)column->lengths[i], (size_t)(width * height), (int)tiles->block,
                           (int)tiles->pixel_size))
            return err_set(err, -EIO, "%s is damaged: tile %lld does not hold its %lld x %lld px", path,
                           i + 1, width, height);
    }
    return 0;
}

static int check_columns(fitsfile *file, const struct tiles *tiles, const struct plane *plane,
                         const char *path, struct err *err)
{
    static const char *const names[] = {"COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA",
                                        "NULL_PIXEL_MASK"};
    bool rice = strcmp(plane->compression, "RICE_1") == 0;
    int code = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names && !code; i++) {
        CLEANUP(tile_column_free) struct tile_column column = {0};
        code = check_heap(file, names[i], &column, tiles, path, err);
        if (!code && i == 0 && rice)
            code = check_rice(file, &column, tiles, plane, path, err);
    }
    return code;
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
static int check_agreement(fitsfile *file, const struct plane *plane, const struct tiles *tiles,
                           const char *path, struct err *err)
{
    int axes = 0, type = 0, status = 0;
    LONGLONG sides[2] = {0, 0};
    fits_get_hdu_type(file, &type, &status);
    bool packed = fits_is_compressed_image(file, &status);
    fits_get_img_dim(file, &axes, &status);
    fits_get_img_sizell(file, 2, sides, &status);
    if (status)
        return fits_input_failed(status, "read the header of", path, err);
    if (type != IMAGE_HDU || packed != tiles->packed || axes != 2 || sides[0] != plane->width ||
        sides[1] != plane->height)
        return err_set(err, -EINVAL, "%s: the header of its image contradicts itself", path);
    return 0;
}

/* Moves to the image, whose header was checked; the file is long enough for it, and its tiles are in it. */
static int check_data(fitsfile *file, int hdu, const struct plane *plane, const struct tiles *tiles,
                      const char *path, struct err *err)
{
    int status = 0;
    if (fits_movabs_hdu(file, hdu, NULL, &status))
        return fits_input_failed(status, "read the header of", path, err);
    int code = check_agreement(file, plane, tiles, path, err);
    if (code)
        return code;
    if (!tiles->packed)
        return fits_input_check_size(file, llabs(tiles->bits) / 8 * plane->width * plane->height, path, err);
    code = fits_input_check_size(file, tiles->row_size * tiles->rows + tiles->extra, path, err);
    if (!code)
        code = check_columns(file, tiles, plane, path, err);
    return code ? code : check_sum(file, path, err);
}

/* Cards that tell how the pixels lay in the file: of no use, and wrong, for who has the pixels. */
static bool card_is_structure(char *card)
{
    int class = fits_get_keyclass(card);
    return class == TYP_STRUC_KEY || class == TYP_CMPRS_KEY || class == TYP_SCAL_KEY ||
           class == TYP_NULL_KEY || class == TYP_DIM_KEY || class == TYP_CKSUM_KEY ||
           strncmp(card, "EXTNAME = 'COMPRESSED_IMAGE'", 28) == 0;
}

static size_t put_card(char *to, const char *text)
{
    return (size_t)sprintf(to, "%-80.80s", text);
}

/* The cards as those of a plain image. (fits_convert_hdr2str does the same at the cost of a third of the
 * whole reading.) */
static int make_header(const struct fits_header *header, struct plane *plane, const char *path,
                       struct err *err)
{
    size_t count, used = 0;
    const char *cards = fits_header_cards(header, &count);
    char card[CARD + 1];
    char *text = plane->header = malloc((count + 8) * CARD + 1);
    if (!text)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    used += put_card(text + used, "SIMPLE  =                    T");
    used += put_card(text + used, "BITPIX  =                  -32");
    used += put_card(text + used, "NAXIS   =                    2");
    snprintf(card, sizeof card, "NAXIS1  = %20ld", plane->width);
    used += put_card(text + used, card);
    snprintf(card, sizeof card, "NAXIS2  = %20ld", plane->height);
    used += put_card(text + used, card);
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; k < CARD; k++)
            card[k] = cards[i * CARD + (size_t)k] >= ' ' && cards[i * CARD + (size_t)k] <= '~'
                          ? cards[i * CARD + (size_t)k]
                          : ' ';
        card[CARD] = '\0';
        if (!card_is_structure(card))
            used += put_card(text + used, card);
    }
    put_card(text + used, "END");
    return 0;
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
    CLEANUP(fits_header_close_ptr) struct fits_header *header = NULL;
    CLEANUP(fits_input_close_ptr) fitsfile *file = NULL;
    struct tiles tiles = {0};
    memset(plane, 0, sizeof *plane);
    int code = fits_input_check(path, err);
    if (!code)
        code = fits_header_open(&header, path, err);
    if (!code)
        code = check_header(header, plane, &tiles, path, err);
    if (!code)
        code = fits_input_open(&file, path, err);
    if (!code)
        code = check_data(file, fits_header_hdu(header), plane, &tiles, path, err);
    if (!code)
        code = make_header(header, plane, path, err);
    if (!code)
        code = read_pixels(file, plane, path, err);
    if (code)
        plane_free(plane);
    return code;
}
