/* Reads binary tables (table.h). Numbers come as double or int64 whatever their type in the file; logical
 * columns as 0 and 1; integers that the column marks as null are NaN as reals. Refused: columns of variable
 * length, of bits and of complex numbers. */
#include "common/str.h"
#include "daemon/worker/sky/fits_input.h"
#include "daemon/worker/sky/table.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { HDU_MAX = 64, TEXT_MAX = 4096 };

struct table {
    fitsfile *file;
    char *path;
    size_t rows;
    char origin[256];
};

/* Adds what the present HDU's header says of the file's maker. */
static void note_origin(struct table *table)
{
    static const char *const keys[] = {"LEGPIPEV", "DRVERSIO", "CATSRC"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char value[FLEN_VALUE], *origin = table->origin;
        size_t used = strlen(origin);
        fits_input_text(table->file, keys[i], value, sizeof value);
        if (value[0] && !strstr(origin, keys[i]))
            snprintf(origin + used, sizeof table->origin - used, "%s%s=%s", used ? " " : "", keys[i], value);
    }
}

const char *table_origin(const struct table *table)
{
    return table->origin;
}

/* Moves to the first table that is not a compressed image. */
static int find_table(fitsfile *file, const char *path, struct err *err)
{
    for (int hdu = 2; hdu <= HDU_MAX; hdu++) {
        int status = 0, type = 0;
        if (fits_movabs_hdu(file, hdu, &type, &status)) {
            if (status != END_OF_FILE)
                return fits_input_failed(status, "read the header of", path, err);
            fits_clear_errmsg();
            break;
        }
        if (type == BINARY_TBL && !fits_is_compressed_image(file, &status))
            return 0;
    }
    return err_set(err, -EINVAL, "%s holds no binary table", path);
}

static int check_table(struct table *table, struct err *err)
{
    long long size = fits_input_key(table->file, "NAXIS1", -1),
              rows = fits_input_key(table->file, "NAXIS2", -1);
    if (size < 0 || rows < 0 || (rows && size < 1) || (rows && size > INT64_MAX / rows))
        return err_set(err, -EINVAL, "the table in %s has %lld rows of %lld bytes", table->path, rows, size);
    table->rows = (size_t)rows;
    return fits_input_check_size(table->file, size * rows, table->path, err);
}

int table_open(struct table **out, const char *path, struct err *err)
{
    CLEANUP(table_close_ptr) struct table *table = calloc(1, sizeof *table);
    if (!table)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    table->path = str_format("%s", path);
    int code = fits_input_open(&table->file, path, err);
    if (code)
        return code;
    note_origin(table);
    code = find_table(table->file, path, err);
    if (code)
        return code;
    note_origin(table);
    code = check_table(table, err);
    if (!code)
        *out = TAKE(table);
    return code;
}

void table_close(struct table *table)
{
    if (!table)
        return;
    fits_input_close(table->file);
    free(table->path);
    free(table);
}

size_t table_rows(const struct table *table)
{
    return table->rows;
}

/* The column's number, CFITSIO's status in *status. */
static int column_number(const struct table *table, const char *column, int *status)
{
    int number = 0;
    fits_write_errmark();
    fits_get_colnum(table->file, CASEINSEN, (char *)column, &number, status);
    fits_clear_errmark();
    return number;
}

bool table_has(const struct table *table, const char *column)
{
    int status = 0;
    column_number(table, column, &status);
    return status == 0;
}

struct column {
    int number, type;
    long repeat;
};

static int find_column(const struct table *table, const char *name, struct column *column, struct err *err)
{
    int status = 0;
    LONGLONG repeat = 0;
    column->number = column_number(table, name, &status);
    if (status == COL_NOT_UNIQUE)
        return err_set(err, -EINVAL, "%s has more than one column %s", table->path, name);
    if (status)
        return err_set(err, -ENOENT, "%s has no column %s", table->path, name);
    if (fits_get_coltypell(table->file, column->number, &column->type, &repeat, NULL, &status))
        return fits_input_failed(status, "read a column's type in", table->path, err);
    column->repeat = (long)repeat;
    return 0;
}

static int find_numbers(const struct table *table, const char *name, int element, struct column *column,
                        struct err *err)
{
    int code = find_column(table, name, column, err);
    if (code)
        return code;
    if (column->type < 0 || column->type == TSTRING || column->type == TBIT || column->type == TCOMPLEX ||
        column->type == TDBLCOMPLEX)
        return err_set(err, -EINVAL, "column %s of %s does not hold plain numbers", name, table->path);
    if (element < 0 || element >= column->repeat)
        return err_set(err, -EINVAL, "column %s of %s has %ld elements a row, so none of index %d", name,
                       table->path, column->repeat, element);
    return 0;
}

/* One element of every row, as `type`; values of `size` bytes. A scalar column is read in one call. CFITSIO
 * writes to `any`, whether one is given or not, when it meets a NaN. */
static int read_elements(struct table *table, const struct column *column, int element, int type, size_t size,
                         void *null, void *values)
{
    int status = 0, any = 0;
    if (!table->rows)
        return 0;
    if (column->repeat == 1)
        return fits_read_col(table->file, type, column->number, 1, 1, (LONGLONG)table->rows, null, values,
                             &any, &status);
    for (size_t row = 0; row < table->rows && !status; row++)
        fits_read_col(table->file, type, column->number, (LONGLONG)row + 1, element + 1, 1, null,
                      (char *)values + row * size, &any, &status);
    return status;
}

static int read_failed(const struct table *table, const char *name, int status, struct err *err)
{
    CLEANUP(free_ptr) char *what = str_format("read column %s of", name);
    return fits_input_failed(status, what, table->path, err);
}

/* CFITSIO does not turn logical values into numbers. */
static int read_flags(struct table *table, const struct column *column, int element, char **flags)
{
    *flags = calloc(table->rows + 1, 1);
    return *flags ? read_elements(table, column, element, TLOGICAL, 1, NULL, *flags) : MEMORY_ALLOCATION;
}

int table_read_reals(struct table *table, const char *name, int element, double *values, struct err *err)
{
    struct column column;
    double null = NAN;
    int code = find_numbers(table, name, element, &column, err), status;
    if (code)
        return code;
    if (column.type != TLOGICAL) {
        status = read_elements(table, &column, element, TDOUBLE, sizeof *values, &null, values);
    } else {
        CLEANUP(free_ptr) char *flags = NULL;
        status = read_flags(table, &column, element, &flags);
        for (size_t row = 0; row < table->rows && !status; row++)
            values[row] = flags[row] != 0;
    }
    return status ? read_failed(table, name, status, err) : 0;
}

int table_read_ints(struct table *table, const char *name, int64_t *values, struct err *err)
{
    struct column column;
    int code = find_numbers(table, name, 0, &column, err), status;
    if (code)
        return code;
    if (column.type != TLOGICAL) {
        status = read_elements(table, &column, 0, TLONGLONG, sizeof *values, NULL, values);
    } else {
        CLEANUP(free_ptr) char *flags = NULL;
        status = read_flags(table, &column, 0, &flags);
        for (size_t row = 0; row < table->rows && !status; row++)
            values[row] = flags[row] != 0;
    }
    return status ? read_failed(table, name, status, err) : 0;
}

/* Copies one text without its trailing blanks; the rest of the width is NUL. */
static int copy_text(const char *text, size_t width, char *value)
{
    size_t length = strlen(text);
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
    struct column column;
    int status = 0, code = find_column(table, name, &column, err);
    if (code)
        return code;
    if (column.type != TSTRING || column.repeat < 1 || column.repeat > TEXT_MAX)
        return err_set(err, -EINVAL, "column %s of %s does not hold short text", name, table->path);
    CLEANUP(free_ptr) char *text = calloc(1, (size_t)column.repeat + 1);
    if (!text)
        return err_set(err, -ENOMEM, "out of memory for column %s of %s", name, table->path);
    for (size_t row = 0; row < table->rows; row++) {
        if (fits_read_col(table->file, TSTRING, column.number, (LONGLONG)row + 1, 1, 1, NULL, &text, NULL,
                          &status))
            return read_failed(table, name, status, err);
        if (copy_text(text, width, values + row * width))
            return err_set(err, -ERANGE, "column %s of %s, row %zu: \"%.40s\" has more than %zu characters",
                           name, table->path, row + 1, text, width);
    }
    return 0;
}
