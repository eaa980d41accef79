/* The properties of a stamp as one packed row of bytes, the same layout for the stamps of all files: so that
 * they travel with their pixels through the shuffle, and become the columns of index.h5. */
#ifndef DECOY_SPLIT_ROWS_H
#define DECOY_SPLIT_ROWS_H

#include "common/err.h"
#include "daemon/worker/dataset/cutout_file.h"

#include <jansson.h>
#include <stddef.h>

struct row_column {
    char *name, *unit; /* unit may be NULL */
    enum cutout_type type;
    size_t width;  /* of CUTOUT_TEXT */
    size_t offset; /* in the row */
};

struct row_layout {
    struct row_column *columns; /* the union over all files */
    size_t count, bytes;        /* bytes of a row, once rows_settle was called */
};

/* One more file's column. Numbers of two types become the wider one; -EINVAL when it is a text here and a
 * number elsewhere, or has a name that index.h5 needs for itself. path is for the sentence. */
int rows_add(struct row_layout *layout, const struct cutout_column *column, const char *path,
             struct err *err);
void rows_settle(struct row_layout *layout);
void rows_free(struct row_layout *layout); /* its contents */

size_t rows_item_size(enum cutout_type type, size_t width);

/* Row `row` of a file's columns to `packed`. from[c] is the file's column for the layout's c-th, or NULL where
 * it has none: NaN, 0 or "". */
void rows_pack(const struct row_layout *layout, const struct cutout_column *const *from, size_t row,
               char *packed);

/* To and from the other ranks: [[name, type, width, unit], ...]. */
json_t *rows_to_json(const struct row_layout *layout);
int rows_from_json(struct row_layout *layout, const json_t *list, struct err *err);

#endif
