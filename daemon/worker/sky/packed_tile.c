/* Tiles of packed.h decoded. A tile's bytes are codes of integers in COMPRESSED_DATA; or, where floats could not
 * be quantised, the floats, gzipped or not, in GZIP_COMPRESSED_DATA or UNCOMPRESSED_DATA. All numbers are
 * big-endian. */
#include "daemon/worker/sky/packed_private.h"
#include "daemon/worker/sky/rice.h"

#include <errno.h>
#include <isa-l.h>
#include <math.h>
#include <string.h>

static double read_double(const uint8_t *at)
{
    uint64_t bits = packed_big_endian(at, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The tile's own scale, zero and blank, combined with BSCALE and BZERO as CFITSIO does. */
static struct quantizer quantizer_of(const struct packed *packed, long tile)
{
    struct quantizer quantizer = packed->quantizer;
    const struct field *fields = packed->fields;
    const uint8_t *row = packed_row(packed, tile);
    quantizer.dither_row = tile + packed->dither_offset;
    if (fields[SCALE].there)
        quantizer.scale = read_double(row + fields[SCALE].at);
    if (fields[ZERO].there)
        quantizer.zero = read_double(row + fields[ZERO].at);
    if (fields[BLANK].there) {
        quantizer.has_blank = true;
        quantizer.blank = (int32_t)packed_big_endian(row + fields[BLANK].at, 4);
    }
    if (fields[SCALE].there || (quantizer.scale == 1 && quantizer.zero == 0)) {
        quantizer.zero = quantizer.zero * packed->bscale + packed->bzero;
        quantizer.scale *= packed->bscale;
    }
    return quantizer;
}

static float finite_float(double value)
{
    return isfinite((float)value) ? (float)value : 0;
}

static float read_item(const uint8_t *at, char type)
{
    uint32_t bits;
    float value;
    switch (type) {
    case 'B':
        return *at;
    case 'I':
        return (int16_t)packed_big_endian(at, 2);
    case 'J':
        return (float)(int32_t)packed_big_endian(at, 4);
    case 'D':
        return finite_float(read_double(at));
    default:
        bits = (uint32_t)packed_big_endian(at, 4);
        memcpy(&value, &bits, sizeof value);
        return finite_float((double)value);
    }
}

static void copy_items(const uint8_t *bytes, char type, const struct tile *tile)
{
    size_t size = packed_type_size(type);
    for (long y = 0; y < tile->height; y++) {
        for (long x = 0; x < tile->width; x++)
            tile->pixels[(size_t)y * tile->stride + (size_t)x] =
                read_item(bytes + (size_t)(y * tile->width + x) * size, type);
    }
}

/* Unpacks one gzip member into scratch; the bytes it gave, 0 when it is damaged or too large. */
static size_t inflate(struct packed *packed, const uint8_t *bytes, uint64_t size)
{
    struct inflate_state state;
    if (size > UINT32_MAX)
        return 0;
    isal_inflate_init(&state);
    state.crc_flag = ISAL_GZIP;
    state.next_in = (uint8_t *)bytes;
    state.avail_in = (uint32_t)size;
    state.next_out = packed->scratch;
    state.avail_out = packed->scratch_size < UINT32_MAX ? (uint32_t)packed->scratch_size : UINT32_MAX;
    return isal_inflate_stateless(&state) == ISAL_DECOMP_OK ? state.total_out : 0;
}

/* GZIP_2 stores first bytes first, then all second bytes, ... */
static void unshuffle(struct packed *packed, size_t count, size_t item_size)
{
    memcpy(packed->shuffled, packed->scratch, count * item_size);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < item_size; k++)
            ((uint8_t *)packed->scratch)[i * item_size + k] = packed->shuffled[k * count + i];
    }
}

/* Floats, gzipped because they could not be quantised: of 4 or 8 bytes, whichever fill the tile. */
static bool decode_floats(struct packed *packed, const uint8_t *bytes, uint64_t size, const struct tile *tile)
{
    size_t count = (size_t)(tile->width * tile->height), got = inflate(packed, bytes, size);
    if (got != count * 4 && got != count * 8)
        return false;
    copy_items(packed->scratch, got == count * 4 ? 'E' : 'D', tile);
    return true;
}

static void rescale(const struct packed *packed, const struct tile *tile)
{
    for (long y = 0; y < tile->height && (packed->bscale != 1 || packed->bzero != 0); y++) {
        float *row = tile->pixels + (size_t)y * tile->stride;
        for (long x = 0; x < tile->width; x++)
            row[x] = finite_float((double)row[x] * packed->bscale + packed->bzero);
    }
}

/* A tile of GZIP_1 or GZIP_2: integers of as many bytes as fill it, or floats as they were. */
static bool decode_gzip(struct packed *packed, const uint8_t *bytes, uint64_t size, const struct tile *tile)
{
    size_t count = (size_t)(tile->width * tile->height), item_size = inflate(packed, bytes, size) / count;
    if (item_size != 1 && item_size != 2 && item_size != 4 && item_size != 8)
        return false;
    if (packed->method == METHOD_SHUFFLED_GZIP)
        unshuffle(packed, count, item_size);
    if (packed->raw) {
        copy_items(packed->scratch, item_size == 8 ? 'D' : 'E', tile);
        rescale(packed, tile);
        return item_size >= 4;
    }
    if (item_size == 8)
        return false;
    const uint8_t *scratch = packed->scratch;
    int32_t *values = (int32_t *)packed->shuffled;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)packed_big_endian(scratch + i * item_size, (int)item_size);
        values[i] = item_size == 2 ? (int16_t)bits : (int32_t)bits;
    }
    struct quantizer quantizer = quantizer_of(packed, tile->number);
    unquantize(&quantizer, values, tile->width, tile->height, tile->pixels, tile->stride);
    return true;
}

static bool decode_rice(struct packed *packed, const uint8_t *bytes, uint64_t size, const struct tile *tile)
{
    struct quantizer quantizer = quantizer_of(packed, tile->number);
    if (!rice_decode(bytes, size, (size_t)(tile->width * tile->height), (int)packed->layout.block,
                     (int)packed->layout.pixel_size, packed->scratch))
        return false;
    unquantize(&quantizer, packed->scratch, tile->width, tile->height, tile->pixels, tile->stride);
    return true;
}

static bool decode_plain(const struct packed *packed, const uint8_t *bytes, uint64_t items,
                         const struct tile *tile)
{
    if (items != (uint64_t)(tile->width * tile->height))
        return false;
    copy_items(bytes, packed->fields[PLAIN].type, tile);
    return true;
}

int packed_decode(struct packed *packed, const struct tile *tile, struct err *err)
{
    uint64_t items = 0, offset = 0;
    enum column column = CODES;
    for (; column <= PLAIN; column++) {
        if (packed->fields[column].there)
            packed_descriptor(packed, &packed->fields[column], tile->number, &items, &offset);
        if (items)
            break;
    }
    const uint8_t *bytes = packed->data + packed->layout.heap_at + offset;
    bool good = column == CODES && packed->method == METHOD_RICE ? decode_rice(packed, bytes, items, tile)
                : column == CODES                                ? decode_gzip(packed, bytes, items, tile)
                : column == GZIP                                 ? decode_floats(packed, bytes, items, tile)
                : column == PLAIN                                ? decode_plain(packed, bytes, items, tile)
                                                                 : false;
    return good ? 0
                : err_set(err, -EIO, "%s is damaged: tile %ld does not hold its %ld x %ld px", packed->path,
                          tile->number + 1, tile->width, tile->height);
}
