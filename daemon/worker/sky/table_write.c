/* Writes binary tables (table.h). */
#include "daemon/worker/sky/fits_output.h"
#include "daemon/worker/sky/table.h"

#include <errno.h>
#include <string.h>

static const struct {
    int code;
    const char *form;
} TYPES[] = {
    [TABLE_REAL32] = {TFLOAT, "1E"}, [TABLE_REAL64] = {TDOUBLE, "1D"},  [TABLE_INT16] = {TSHORT, "1I"},
    [TABLE_INT32] = {TINT, "1J"},    [TABLE_INT64] = {TLONGLONG, "1K"}, [TABLE_BOOL] = {TLOGICAL, "1L"},
    [TABLE_TEXT] = {TSTRING, NULL},
};

static int write_text(fitsfile *file, int number, size_t rows, const struct table_column *column, int *status)
{
    CLEANUP(free_ptr) char *text = calloc(rows, column->width + 1);
    CLEANUP(free_ptr) char **lines = calloc(rows, sizeof *lines);
    if (!text || !lines)
        return *status = MEMORY_ALLOCATION;
    for (size_t i = 0; i < rows; i++) {
        lines[i] = text + i * (column->width + 1);
        memcpy(lines[i], (const char *)column->values + i * column->width, column->width);
    }
    return fits_write_col(file, TSTRING, number, 1, 1, (LONGLONG)rows, lines, status);
}

enum { FORM_MAX = 24 };

/* The table with its columns, still without values. */
static int create_table(fitsfile *file, const char *extension, size_t rows,
                        const struct table_column *columns, size_t count, int *status)
{
    CLEANUP(free_ptr) char **texts = calloc(3 * count, sizeof *texts);
    CLEANUP(free_ptr) char *forms = calloc(count, FORM_MAX);
    if (!texts || !forms)
        return *status = MEMORY_ALLOCATION;
    char **names = texts, **form = texts + count, **units = form + count;
    for (size_t i = 0; i < count; i++) {
        names[i] = (char *)columns[i].name;
        form[i] = forms + i * FORM_MAX;
        units[i] = (char *)(columns[i].unit ? columns[i].unit : "");
        if (columns[i].type == TABLE_TEXT)
            snprintf(form[i], FORM_MAX, "%zuA", columns[i].width);
        else
            snprintf(form[i], FORM_MAX, "%s", TYPES[columns[i].type].form);
    }
    return fits_create_tbl(file, BINARY_TBL, (LONGLONG)rows, (int)count, names, form, units, extension,
                           status);
}

static int write_table(fitsfile *file, const char *extension, size_t rows, const struct table_column *columns,
                       size_t count, int *status)
{
    create_table(file, extension, rows, columns, count, status);
    for (size_t i = 0; i < count && rows && !*status; i++) {
        if (columns[i].type == TABLE_TEXT)
            write_text(file, (int)i + 1, rows, &columns[i], status);
        else
            fits_write_col(file, TYPES[columns[i].type].code, (int)i + 1, 1, 1, (LONGLONG)rows,
                           (void *)columns[i].values, status);
    }
    return *status;
}

int table_publish(const char *path, const char *extension, size_t rows, const struct table_column *columns,
                  size_t column_count, const struct table_key *keys, size_t key_count, struct err *err)
{
    CLEANUP(fits_output_free) struct fits_output output = {0};
    int status = 0, code = fits_output_open(&output, path, rows * column_count * 8, err);
    if (code)
        return code;
    write_table(output.file, extension, rows, columns, column_count, &status);
    for (size_t i = 0; i < key_count; i++)
        fits_write_key(output.file, TSTRING, keys[i].name, (char *)keys[i].value, keys[i].comment, &status);
    if (status)
        return fits_output_failed(status, path, err);
    return fits_output_publish(&output, path, err);
}
