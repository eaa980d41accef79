/* Shared by packed.c and packed_tile.c alone. */
#ifndef DECOY_SKY_PACKED_PRIVATE_H
#define DECOY_SKY_PACKED_PRIVATE_H

#include "daemon/worker/sky/packed.h"
#include "daemon/worker/sky/unquantize.h"

/* Columns of the table that count, those of variable length first. A scale, zero or blank may be a keyword. */
enum column { CODES, GZIP, PLAIN, SCALE, ZERO, BLANK, COLUMN_MAX };

enum method { METHOD_RICE, METHOD_GZIP, METHOD_SHUFFLED_GZIP }; /* of the bytes in CODES */

struct field {
    bool there;
    size_t at; /* in a row of the table */
    char type; /* TFORM's letter, of a column of variable length that of its items */
    bool wide; /* descriptors of 64 bits */
};

struct packed {
    char *path;
    struct plane_layout layout;
    struct field fields[COLUMN_MAX];
    enum method method;
    bool raw;                   /* gzipped floats that were not quantised */
    struct quantizer quantizer; /* where no column says otherwise */
    double bscale, bzero;
    long dither_offset;
    uint8_t *data; /* data_unit.h */
    void *scratch; /* one tile's integers or floats, up to 8 bytes each */
    uint8_t *shuffled;
    size_t scratch_size;
};

size_t packed_type_size(char type); /* of an item by TFORM's letter; 0: no such type */
uint64_t packed_big_endian(const uint8_t *at, int bytes);
const uint8_t *packed_row(const struct packed *packed, long tile);

/* Where a tile's bytes of a column lie in the heap, and how many items they are. */
void packed_descriptor(const struct packed *packed, const struct field *field, long tile, uint64_t *items,
                       uint64_t *offset);

#endif
