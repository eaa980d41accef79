/* See packed.h: the table of tiles. Decoding is in packed_tile.c. */
#include "common/str.h"
#include "daemon/worker/sky/data_unit.h"
#include "daemon/worker/sky/packed_private.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

enum { CARD = 80 };

static const char *const NAMES[COLUMN_MAX] = {
    "COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA", "ZSCALE", "ZZERO", "ZBLANK"};

void packed_close(struct packed *packed)
{
    if (!packed)
        return;
    free(packed->path);
    free(packed->data);
    free(packed->scratch);
    free(packed->shuffled);
    free(packed);
}

size_t packed_type_size(char type)
{
    static const char types[] = "LXBAIJKEDCMPQ";
    static const size_t sizes[] = {1, 1, 1, 1, 2, 4, 8, 4, 8, 8, 16, 8, 16};
    const char *at = type ? strchr(types, type) : NULL;
    return at ? sizes[at - types] : 0;
}

/* "1PB(9000)", "1D", ...: the bytes of a row's field, 0 for what is no TFORM. */
static size_t parse_form(const char *form, struct field *field)
{
    size_t digits = strspn(form, "0123456789"), repeat = digits ? strtoul(form, NULL, 10) : 1;
    char type = form[digits];
    size_t size = digits < 6 ? packed_type_size(type) : 0;
    field->type = type;
    field->wide = type == 'Q';
    if (size && (type == 'P' || type == 'Q')) {
        field->type = form[digits + 1];
        return repeat == 1 && packed_type_size(field->type) ? size : 0;
    }
    return type == 'X' ? (repeat + 7) / 8 : repeat * size;
}

/* Is the field of the type that such a column has? */
static bool field_suits(enum column column, const char *form, const struct field *field)
{
    const char *types[COLUMN_MAX] = {"B", "B", "BIJED", "D", "D", "J"};
    bool variable = strchr(form, 'P') || strchr(form, 'Q');
    return variable == (column <= PLAIN) && strchr(types[column], field->type);
}

static int read_real(const struct fits_header *header, const char *key, double fallback, double *value,
                     const char *path, struct err *err)
{
    char text[CARD];
    *value = fallback;
    int code = fits_header_text(header, key, text, sizeof text, err);
    if (!code && text[0] && (!str_to_real(text, value) || !isfinite(*value)))
        code = err_set(err, -EINVAL, "%s: %s in its header is \"%.30s\", no number", path, key, text);
    return code;
}

/* What the tiles hold is scaled by ZSCALE and ZZERO alone; a column scaled besides is one that no reader agrees on. */
static int check_unscaled(const struct packed *packed, const struct fits_header *header, int number,
                          struct err *err)
{
    char scale_key[16], zero_key[16];
    double scale, zero;
    snprintf(scale_key, sizeof scale_key, "TSCAL%d", number);
    snprintf(zero_key, sizeof zero_key, "TZERO%d", number);
    int code = read_real(header, scale_key, 1, &scale, packed->path, err);
    if (!code)
        code = read_real(header, zero_key, 0, &zero, packed->path, err);
    if (!code && (scale != 1 || zero != 0))
        code = err_set(err, -EINVAL, "%s: %s or %s scales its compressed tiles, which is not done",
                       packed->path, scale_key, zero_key);
    return code;
}

static int read_field(struct packed *packed, const struct fits_header *header, int number, size_t *at,
                      struct err *err)
{
    char key[16], name[CARD], form[CARD];
    struct field field = {.there = true, .at = *at};
    snprintf(key, sizeof key, "TTYPE%d", number);
    int code = fits_header_text(header, key, name, sizeof name, err);
    snprintf(key, sizeof key, "TFORM%d", number);
    if (!code)
        code = fits_header_text(header, key, form, sizeof form, err);
    size_t size = code ? 0 : parse_form(form, &field);
    if (!code && !size)
        return err_set(err, -EINVAL, "%s: %s \"%.20s\" in its header is no form of a column", packed->path,
                       key, form);
    *at += size;
    for (int i = 0; i < COLUMN_MAX && !code; i++) {
        if (strcasecmp(name, NAMES[i]) != 0)
            continue;
        if (packed->fields[i].there || !field_suits(i, form, &field))
            return err_set(err, -EINVAL, "%s: its column %s is there twice, or %.20s is not its form",
                           packed->path, name, form);
        packed->fields[i] = field;
        code = check_unscaled(packed, header, number, err);
    }
    return code;
}

static int read_fields(struct packed *packed, const struct fits_header *header, struct err *err)
{
    long long count;
    size_t at = 0;
    int code = fits_header_int(header, "TFIELDS", 0, &count, err);
    for (int i = 1; i <= count && !code; i++)
        code = read_field(packed, header, i, &at, err);
    if (!code && (long long)at != packed->layout.row_size)
        code = err_set(err, -EINVAL, "%s: the columns of its tiles take %zu bytes where NAXIS1 says %lld",
                       packed->path, at, packed->layout.row_size);
    return code;
}

/* Keywords about values. */
static int read_quantizer(struct packed *packed, const struct fits_header *header, const struct plane *plane,
                          struct err *err)
{
    struct quantizer *quantizer = &packed->quantizer;
    const long long none = INT64_MIN;
    long long blank, offset, bits;
    char scale[CARD], zero[CARD];
    int code = fits_header_int(header, "ZBITPIX", 0, &bits, err);
    if (!code)
        code = fits_header_text(header, "ZSCALE", scale, sizeof scale, err);
    if (!code)
        code = fits_header_text(header, "ZZERO", zero, sizeof zero, err);
    if (!code)
        code = read_real(header, "ZSCALE", 1, &quantizer->scale, packed->path, err);
    if (!code)
        code = read_real(header, "ZZERO", 0, &quantizer->zero, packed->path, err);
    if (!code)
        code = read_real(header, "BSCALE", 1, &packed->bscale, packed->path, err);
    if (!code)
        code = read_real(header, "BZERO", 0, &packed->bzero, packed->path, err);
    if (!code)
        code = fits_header_int(header, "ZBLANK", none, &blank, err);
    if (!code && blank == none)
        code = fits_header_int(header, "BLANK", none, &blank, err);
    if (!code)
        code = fits_header_int(header, "ZDITHER0", 1, &offset, err);
    if (code)
        return code;
    quantizer->has_blank = blank >= INT32_MIN && blank <= INT32_MAX;
    quantizer->blank = quantizer->has_blank ? (int32_t)blank : 0;
    quantizer->dither = strcmp(plane->quantize, "SUBTRACTIVE_DITHER_1") == 0   ? 1
                        : strcmp(plane->quantize, "SUBTRACTIVE_DITHER_2") == 0 ? 2
                                                                               : 0;
    packed->dither_offset = (long)offset;
    packed->method = strcmp(plane->compression, "RICE_1") == 0   ? METHOD_RICE
                     : strcmp(plane->compression, "GZIP_2") == 0 ? METHOD_SHUFFLED_GZIP
                                                                 : METHOD_GZIP;
    bool scaled = scale[0] || packed->fields[SCALE].there, zeroed = zero[0] || packed->fields[ZERO].there;
    packed->raw = bits < 0 && (strcmp(plane->quantize, "NONE") == 0 || !scaled);
    if (bits < 0 && (scaled != zeroed || (!scaled && (quantizer->dither || packed->method == METHOD_RICE))))
        return err_set(err, -EINVAL, "%s: its pixels are quantized, and their %s is missing", packed->path,
                       scaled ? "ZZERO" : "ZSCALE");
    return 0;
}

const uint8_t *packed_row(const struct packed *packed, long tile)
{
    return packed->data + (long long)tile * packed->layout.row_size;
}

uint64_t packed_big_endian(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

void packed_descriptor(const struct packed *packed, const struct field *field, long tile, uint64_t *items,
                       uint64_t *offset)
{
    const uint8_t *at = packed_row(packed, tile) + field->at;
    int half = field->wide ? 8 : 4;
    *items = packed_big_endian(at, half);
    *offset = packed_big_endian(at + half, half);
}

static int check_heap(const struct packed *packed, struct err *err)
{
    uint64_t items, offset, heap = (uint64_t)packed->layout.heap;
    for (int i = CODES; i <= PLAIN; i++) {
        const struct field *field = &packed->fields[i];
        for (long tile = 0; field->there && tile < packed->layout.rows; tile++) {
            packed_descriptor(packed, field, tile, &items, &offset);
            if (items > heap / packed_type_size(field->type) ||
                offset > heap - items * packed_type_size(field->type))
                return err_set(err, -EIO, "%s is damaged: tile %ld lies outside of its data", packed->path,
                               tile + 1);
        }
    }
    return 0;
}

int packed_open(struct packed **out, const struct fits_header *header, const struct plane_layout *layout,
                const struct plane *plane, const char *path, struct err *err)
{
    CLEANUP(packed_close_ptr) struct packed *packed = calloc(1, sizeof *packed);
    if (!packed)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    packed->path = str_format("%s", path);
    packed->layout = *layout;
    packed->scratch_size = (size_t)(layout->width * layout->height) * sizeof(double);
    packed->scratch = malloc(packed->scratch_size);
    packed->shuffled = malloc(packed->scratch_size);
    if (!packed->scratch || !packed->shuffled)
        return err_set(err, -ENOMEM, "out of memory for a tile of %s", path);
    int code = read_fields(packed, header, err);
    if (!code)
        code = read_quantizer(packed, header, plane, err);
    if (!code)
        code =
            data_unit_read(header, layout->row_size * layout->rows + layout->extra, path, &packed->data, err);
    if (!code)
        code = check_heap(packed, err);
    if (!code)
        *out = TAKE(packed);
    return code;
}
