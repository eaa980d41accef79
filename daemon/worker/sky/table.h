/* FITS binary tables by column name, without regard to case. The first binary table of the file. */
#ifndef DECOY_SKY_TABLE_H
#define DECOY_SKY_TABLE_H

#include "common/cleanup.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table;

int table_open(struct table **out, const char *path, struct err *err);
void table_close(struct table *table);
CLEANUP_DEFINE(table_close_ptr, struct table, table_close)

/* Who made the file, as far as its headers say: "LEGPIPEV=... DRVERSIO=... CATSRC=...", "" where they do not. */
const char *table_origin(const struct table *table);

size_t table_rows(const struct table *table);
bool table_has(const struct table *table, const char *column);

/* A scalar column (or element `element`, from 0, of a vector column) of every row. values has table_rows
 * items. A column that is not there is -ENOENT and a sentence that names file and column. */
int table_read_reals(struct table *table, const char *column, int element, double *values, struct err *err);
int table_read_ints(struct table *table, const char *column, int64_t *values, struct err *err);
int table_read_text(struct table *table, const char *column, size_t width, char *values /* rows x width, NUL-padded, trailing blanks gone */, struct err *err);

/* A table to be written in one go, column by column. */
enum table_type { TABLE_REAL32, TABLE_REAL64, TABLE_INT16, TABLE_INT32, TABLE_INT64, TABLE_BOOL, TABLE_TEXT };

struct table_column {
    const char *name;
    enum table_type type;
    size_t width;       /* of TABLE_TEXT: bytes a row; else ignored */
    const char *unit;   /* or NULL */
    const void *values; /* float, double, int16_t, int32_t, int64_t, bool (1 byte) or width chars a row */
};

struct table_key {
    const char *name, *value, *comment; /* text keywords of the table's header */
};

/* Written aside, fsynced, renamed. */
int table_publish(const char *path, const char *extension, size_t rows, const struct table_column *columns, size_t column_count,
                  const struct table_key *keys, size_t key_count, struct err *err);

#endif
