/* Reads binary tables (table.h), without CFITSIO: the data unit is read whole and once, where CFITSIO goes
 * through the file for every column, and no damaged header leads anywhere beyond it. Numbers come as double or
 * int64 whatever their type in the file; logical columns as 0 and 1; integers that the column marks as null
 * are NaN as reals. Refused: columns of variable length, of bits and of complex numbers. */
#include "common/str.h"
#include "daemon/worker/sky/data_unit.h"
#include "daemon/worker/sky/fits_input.h"
#include "daemon/worker/sky/table.h"
#include "daemon/worker/sky/table_layout.h"

#include <endian.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

enum { TEXT_MAX = 4096 };

#define INT64_LIMIT 0x1p63

struct table {
    char *path;
    struct table_layout layout;
    uint8_t *data; /* rows x row_size bytes */
    char origin[256];
};

/* Adds what a header says of the file's maker. */
static void note_origin(struct table *table, const struct fits_header *header)
{
    static const char *const keys[] = {"LEGPIPEV", "DRVERSIO", "CATSRC"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char value[80] = "", *origin = table->origin;
        size_t used = strlen(origin);
        if (fits_header_text(header, keys[i], value, sizeof value, NULL) == 0 && value[0] &&
            !strstr(origin, keys[i]))
            snprintf(origin + used, sizeof table->origin - used, "%s%s=%s", used ? " " : "", keys[i], value);
    }
}

const char *table_origin(const struct table *table)
{
    return table->origin;
}

static int read_file(struct table *table, struct err *err)
{
    CLEANUP(fits_header_close_ptr) struct fits_header *primary = NULL, *header = NULL;
    int code = fits_header_open_primary(&primary, table->path, err);
    if (!code)
        code = fits_header_open_table(&header, table->path, err);
    if (code)
        return code;
    note_origin(table, primary);
    note_origin(table, header);
    code = table_layout_read(&table->layout, header, table->path, err);
    long long needed = table->layout.rows * table->layout.row_size; /* fits: fits_header.c checked */
    return code ? code : data_unit_read(header, needed, table->path, &table->data, err);
}

int table_open(struct table **out, const char *path, struct err *err)
{
    CLEANUP(table_close_ptr) struct table *table = calloc(1, sizeof *table);
    if (!table)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    table->path = str_format("%s", path);
    int code = fits_input_check(path, err);
    if (!code)
        code = read_file(table, err);
    if (!code)
        *out = TAKE(table);
    return code;
}

void table_close(struct table *table)
{
    if (!table)
        return;
    table_layout_free(&table->layout);
    free(table->data);
    free(table->path);
    free(table);
}

size_t table_rows(const struct table *table)
{
    return (size_t)table->layout.rows;
}

/* How many columns have the name; *column is the first. */
static int count_named(const struct table *table, const char *name, const struct layout_column **column)
{
    int found = 0;
    for (size_t c = 0; c < table->layout.count; c++) {
        if (strcasecmp(table->layout.columns[c].name, name) == 0 && found++ == 0)
            *column = &table->layout.columns[c];
    }
    return found;
}

bool table_has(const struct table *table, const char *name)
{
    const struct layout_column *column;
    return count_named(table, name, &column) > 0;
}

static int find_column(const struct table *table, const char *name, const struct layout_column **column,
                       struct err *err)
{
    int found = count_named(table, name, column);
    if (found > 1)
        return err_set(err, -EINVAL, "%s has more than one column %s", table->path, name);
    return found ? 0 : err_set(err, -ENOENT, "%s has no column %s", table->path, name);
}

static int find_numbers(const struct table *table, const char *name, int element,
                        const struct layout_column **column, struct err *err)
{
    int code = find_column(table, name, column, err);
    if (code)
        return code;
    if (!strchr("LBIJKED", (*column)->code))
        return err_set(err, -EINVAL, "column %s of %s does not hold plain numbers", name, table->path);
    if (element < 0 || element >= (*column)->repeat)
        return err_set(err, -EINVAL, "column %s of %s has %lld elements a row, so none of index %d", name,
                       table->path, (*column)->repeat, element);
    return 0;
}

/* An element of a row. */
static const uint8_t *element_at(const struct table *table, const struct layout_column *column, size_t row,
                                 int element)
{
    return table->data + (long long)row * table->layout.row_size + column->offset +
           (long long)element * layout_element_size(column->code);
}

/* FITS numbers are big-endian. */
static uint16_t load16(const uint8_t *at)
{
    uint16_t bits;
    memcpy(&bits, at, sizeof bits);
    return be16toh(bits);
}

static uint32_t load32(const uint8_t *at)
{
    uint32_t bits;
    memcpy(&bits, at, sizeof bits);
    return be32toh(bits);
}

static uint64_t load64(const uint8_t *at)
{
    uint64_t bits;
    memcpy(&bits, at, sizeof bits);
    return be64toh(bits);
}

static double load_real(const uint8_t *at, char code)
{
    uint32_t narrow = code == 'E' ? load32(at) : 0;
    uint64_t wide = code == 'D' ? load64(at) : 0;
    float single;
    double value;
    memcpy(&single, &narrow, sizeof single);
    memcpy(&value, &wide, sizeof value);
    return code == 'E' ? (double)single : value;
}

/* As stored, of one of L B I J K; true is 1. */
static int64_t load_int(const uint8_t *at, char code)
{
    switch (code) {
    case 'L':
        return *at == 'T';
    case 'B':
        return *at;
    case 'I':
        return (int16_t)load16(at);
    case 'J':
        return (int32_t)load32(at);
    default:
        return (int64_t)load64(at);
    }
}

/* Is it an integer but for a whole number added, as unsigned ones are stored (TZERO)? */
static bool is_integral(const struct layout_column *column)
{
    return column->code != 'E' && column->code != 'D' && column->scale == 1 &&
           column->zero == floor(column->zero) && fabs(column->zero) <= INT64_LIMIT;
}

/* Exact, of an integral column: what a double cannot hold beside TZERO is not lost. */
static __int128 shifted_at(const uint8_t *at, const struct layout_column *column)
{
    return (__int128)load_int(at, column->code) + (__int128)column->zero;
}

static double real_at(const uint8_t *at, const struct layout_column *column)
{
    if (column->code == 'E' || column->code == 'D')
        return column->zero + column->scale * load_real(at, column->code);
    int64_t stored = load_int(at, column->code);
    if (column->has_null && stored == column->null)
        return NAN;
    return is_integral(column) ? (double)shifted_at(at, column)
                               : column->zero + column->scale * (double)stored;
}

/* False: it does not fit. */
static bool int_at(const uint8_t *at, const struct layout_column *column, int64_t *value)
{
    if (!is_integral(column)) {
        double real = real_at(at, column);
        bool fits = fabs(real) < INT64_LIMIT;
        *value = fits ? (int64_t)real : 0;
        return fits;
    }
    __int128 shifted = shifted_at(at, column);
    *value = (int64_t)shifted;
    return shifted >= INT64_MIN && shifted <= INT64_MAX;
}

int table_read_reals(struct table *table, const char *name, int element, double *values, struct err *err)
{
    const struct layout_column *column;
    int code = find_numbers(table, name, element, &column, err);
    for (size_t row = 0; row < table_rows(table) && !code; row++)
        values[row] = real_at(element_at(table, column, row, element), column);
    return code;
}

int table_read_ints(struct table *table, const char *name, int64_t *values, struct err *err)
{
    const struct layout_column *column;
    int code = find_numbers(table, name, 0, &column, err);
    for (size_t row = 0; row < table_rows(table) && !code; row++) {
        if (!int_at(element_at(table, column, row, 0), column, &values[row]))
            code = err_set(err, -ERANGE, "column %s of %s, row %zu: no integer of 64 bits", name, table->path,
                           row + 1);
    }
    return code;
}

/* Copies one text without its trailing blanks; the rest of the width is NUL. */
static int copy_text(const char *text, size_t length, size_t width, char *value)
{
    length = strnlen(text, length);
    while (length && text[length - 1] == ' ')
        length--;
    if (length > width)
        return -ERANGE;
    memset(value, 0, width);
    memcpy(value, text, length);
    return 0;
}

int table_read_text(struct table *table, const char *name, size_t width, char *values, struct err *err)
{
    const struct layout_column *column;
    int code = find_column(table, name, &column, err);
    if (code)
        return code;
    if (column->code != 'A' || column->repeat < 1 || column->repeat > TEXT_MAX)
        return err_set(err, -EINVAL, "column %s of %s does not hold short text", name, table->path);
    for (size_t row = 0; row < table_rows(table); row++) {
        const char *text = (const char *)element_at(table, column, row, 0);
        if (copy_text(text, (size_t)column->repeat, width, values + row * width))
            return err_set(err, -ERANGE, "column %s of %s, row %zu: \"%.*s\" has more than %zu characters",
                           name, table->path, row + 1, column->repeat > 40 ? 40 : (int)column->repeat, text,
                           width);
    }
    return 0;
}
