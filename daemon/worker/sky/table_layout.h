/* The columns of a binary table as its header has them, checked before a byte of its data is looked at (FITS
 * standard 4.0, 7.3). Private to sky/. */
#ifndef DECOY_SKY_TABLE_LAYOUT_H
#define DECOY_SKY_TABLE_LAYOUT_H

#include "daemon/worker/sky/fits_header.h"

#include <stdint.h>

struct layout_column {
    char name[72];
    char code;          /* of TFORM: L X B I J K A E D C M P Q */
    long long repeat;   /* elements a row */
    long long offset;   /* of the first in a row, bytes */
    double scale, zero; /* TSCAL, TZERO: value = zero + scale * stored */
    bool has_null;
    int64_t null; /* TNULL: a stored integer that stands for nothing */
};

struct table_layout {
    long long rows, row_size; /* bytes */
    struct layout_column *columns;
    size_t count;
};

/* Refused: rows shorter than their columns, unknown types, a column that is told of twice, and tables that
 * fpack compressed. The caller ends it with table_layout_free, also after a failure. */
int table_layout_read(struct table_layout *layout, const struct fits_header *header, const char *path,
                      struct err *err);
void table_layout_free(struct table_layout *layout);

/* Bytes of one element of a column; 0 of bits (X) and of what lies elsewhere (P, Q). */
int layout_element_size(char code);

#endif
