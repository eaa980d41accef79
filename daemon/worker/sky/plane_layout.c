/* See plane_layout.h. */
#include "daemon/worker/sky/plane_layout.h"

#include <errno.h>
#include <fitsio.h>
#include <string.h>

enum { SIDE_MAX = 30000, ROW_SIZE_MAX = 4096, CARD = 80 };

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
static int check_tiles(const struct fits_header *header, struct plane_layout *layout,
                       const struct plane *plane, const char *path, struct err *err)
{
    long long start;
    int code = fits_header_int(header, "ZTILE1", plane->width, &layout->width, err);
    if (!code)
        code = fits_header_int(header, "ZTILE2", 1, &layout->height, err);
    if (!code)
        code = fits_header_int(header, "NAXIS1", -1, &layout->row_size, err);
    if (!code)
        code = fits_header_int(header, "NAXIS2", -1, &layout->rows, err);
    if (!code)
        code = fits_header_int(header, "PCOUNT", -1, &layout->extra, err);
    if (!code)
        code = fits_header_int(header, "THEAP", layout->row_size * layout->rows, &start, err);
    if (code)
        return code;
    if (layout->width < 1 || layout->width > plane->width || layout->height < 1 ||
        layout->height > plane->height)
        return err_set(err, -EINVAL, "%s: its tiles of %lld x %lld px do not fit into %ld x %ld px", path,
                       layout->width, layout->height, plane->width, plane->height);
    long long needed = ((plane->width + layout->width - 1) / layout->width) *
                       ((plane->height + layout->height - 1) / layout->height);
    if (layout->rows != needed || layout->row_size < 8 || layout->row_size > ROW_SIZE_MAX)
        return err_set(err, -EINVAL, "%s: its header has %lld rows of tiles where %lld are needed", path,
                       layout->rows, needed);
    long long table = layout->row_size * layout->rows;
    if (start < table || start - table > layout->extra)
        return err_set(err, -EINVAL, "%s: THEAP %lld in its header lies outside of its data", path, start);
    layout->heap_at = start;
    layout->heap = layout->extra - (start - table);
    return 0;
}

int plane_layout_read(struct plane_layout *layout, const struct fits_header *header, struct plane *plane,
                      const char *path, struct err *err)
{
    long long axes, width, height;
    layout->packed = fits_header_packed(header);
    int code = fits_header_int(header, layout->packed ? "ZNAXIS" : "NAXIS", 0, &axes, err);
    if (!code)
        code = fits_header_int(header, layout->packed ? "ZNAXIS1" : "NAXIS1", 0, &width, err);
    if (!code)
        code = fits_header_int(header, layout->packed ? "ZNAXIS2" : "NAXIS2", 0, &height, err);
    if (!code)
        code = fits_header_int(header, "BITPIX", 0, &layout->bits, err);
    if (!code)
        code = check_sides(axes, width, height, path, err);
    if (code)
        return code;
    plane->width = (long)width;
    plane->height = (long)height;
    if (!layout->packed)
        return 0;
    code = check_compression(header, plane, path, err);
    bool rice = strcmp(plane->compression, "RICE_1") == 0; /* other methods have other things in ZVAL1 */
    if (!code && rice)
        code = fits_header_int(header, "ZVAL1", 32, &layout->block, err);
    if (!code && rice)
        code = fits_header_int(header, "ZVAL2", 4, &layout->pixel_size, err);
    return code ? code : check_tiles(header, layout, plane, path, err);
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
int plane_layout_cards(const struct fits_header *header, struct plane *plane, const char *path,
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

const char *plane_library_version(void)
{
    static char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", CFITSIO_MAJOR, CFITSIO_MINOR, CFITSIO_MICRO);
    return text;
}
