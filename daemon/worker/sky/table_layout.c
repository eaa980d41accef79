/* See table_layout.h. The cards are gone through once: a catalogue has a thousand of them. */
#include "daemon/worker/sky/table_layout.h"
#include "common/str.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

enum { CARD = 80, COLUMNS_MAX = 999, REPEAT_MAX = 1 << 28 };

/* What a column's cards may tell, and which of it was told. */
enum told { TTYPE = 1, TFORM = 2, TSCAL = 4, TZERO = 8, TNULL = 16 };

static const struct {
    char code;
    int size;
} TYPES[] = {{'L', 1}, {'X', 0}, {'B', 1}, {'I', 2},  {'J', 4}, {'K', 8}, {'A', 1},
             {'E', 4}, {'D', 8}, {'C', 8}, {'M', 16}, {'P', 0}, {'Q', 0}};

void table_layout_free(struct table_layout *layout)
{
    free(layout->columns);
    memset(layout, 0, sizeof *layout);
}

int layout_element_size(char code)
{
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        if (TYPES[i].code == code)
            return TYPES[i].size;
    }
    return 0;
}

static bool is_type(char code)
{
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        if (TYPES[i].code == code)
            return true;
    }
    return false;
}

/* "[repeat]T[...]" */
static bool parse_form(const char *form, struct layout_column *column)
{
    long long repeat = 0;
    const char *at = form;
    for (; isdigit((unsigned char)*at) && repeat <= REPEAT_MAX; at++)
        repeat = 10 * repeat + (*at - '0');
    column->repeat = at == form ? 1 : repeat;
    column->code = *at;
    return repeat <= REPEAT_MAX && is_type(*at);
}

static long long column_size(const struct layout_column *column)
{
    switch (column->code) {
    case 'X':
        return (column->repeat + 7) / 8;
    case 'P':
        return 8 * column->repeat;
    case 'Q':
        return 16 * column->repeat;
    default:
        return layout_element_size(column->code) * column->repeat;
    }
}

/* FITS allows D for an exponent's letter. */
static bool parse_real(char *text, double *value)
{
    for (char *at = text; *at; at++)
        *at = *at == 'D' || *at == 'd' ? 'E' : *at;
    return str_to_real(text, value) && isfinite(*value);
}

static bool take_value(struct layout_column *column, enum told what, char *text)
{
    switch (what) {
    case TTYPE:
        snprintf(column->name, sizeof column->name, "%.71s", text);
        return true;
    case TFORM:
        return parse_form(text, column);
    case TSCAL:
        return parse_real(text, &column->scale);
    case TZERO:
        return parse_real(text, &column->zero);
    case TNULL:
        column->has_null = str_to_int(text, &column->null);
        return column->has_null;
    }
    return false;
}

/* Which column, from 0, a card tells of, and what; -1: none. */
static long column_of_card(const char *card, enum told *what)
{
    static const struct {
        char name[6];
        enum told what;
    } NAMES[] = {{"TTYPE", TTYPE}, {"TFORM", TFORM}, {"TSCAL", TSCAL}, {"TZERO", TZERO}, {"TNULL", TNULL}};
    char number[4] = "";
    int64_t value;
    if (card[0] != 'T' || card[8] != '=')
        return -1;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (strncmp(card, NAMES[i].name, 5) != 0)
            continue;
        *what = NAMES[i].what;
        snprintf(number, sizeof number, "%.3s", card + 5);
        number[strcspn(number, " ")] = '\0';
        return isdigit((unsigned char)number[0]) && str_to_int(number, &value) ? (long)value - 1 : -1;
    }
    return -1;
}

static int take_cards(struct table_layout *layout, int *told, const struct fits_header *header,
                      const char *path, struct err *err)
{
    size_t count;
    const char *cards = fits_header_cards(header, &count);
    for (size_t i = 0; i < count; i++) {
        const char *card = cards + i * CARD;
        char text[CARD];
        enum told what;
        long c = column_of_card(card, &what);
        if (c < 0 || (size_t)c >= layout->count)
            continue;
        fits_card_value(card, text);
        if (told[c] & (int)what)
            return err_set(err, -EINVAL, "%s: its header has %.8s twice", path, card);
        if (!take_value(&layout->columns[c], what, text))
            return err_set(err, -EINVAL, "%s: %.8s in its header is \"%.30s\", which makes no sense", path,
                           card, text);
        told[c] |= (int)what;
    }
    return 0;
}

/* Columns lie side by side in a row. */
static int place_columns(struct table_layout *layout, const int *told, const char *path, struct err *err)
{
    long long at = 0;
    for (size_t c = 0; c < layout->count; c++) {
        struct layout_column *column = &layout->columns[c];
        if (!(told[c] & TFORM))
            return err_set(err, -EINVAL, "%s: its header has no TFORM%zu", path, c + 1);
        column->offset = at;
        at += column_size(column);
    }
    return at <= layout->row_size ? 0
                                  : err_set(err, -EINVAL, "%s: its columns take %lld bytes of rows of %lld",
                                            path, at, layout->row_size);
}

static int check_sizes(struct table_layout *layout, const struct fits_header *header, long long *fields,
                       const char *path, struct err *err)
{
    long long axes, bits;
    char packed[CARD] = "";
    int code = fits_header_int(header, "NAXIS", 0, &axes, err);
    if (!code)
        code = fits_header_int(header, "BITPIX", 0, &bits, err);
    if (!code)
        code = fits_header_int(header, "NAXIS1", 0, &layout->row_size, err);
    if (!code)
        code = fits_header_int(header, "NAXIS2", 0, &layout->rows, err);
    if (!code)
        code = fits_header_int(header, "TFIELDS", 0, fields, err);
    if (!code)
        code = fits_header_text(header, "ZTABLE", packed, sizeof packed, err);
    if (code)
        return code;
    if (packed[0] == 'T')
        return err_set(err, -EINVAL, "%s holds a compressed table; unpack it with funpack", path);
    if (axes != 2 || bits != 8 || (layout->rows && !layout->row_size) || *fields < 0 || *fields > COLUMNS_MAX)
        return err_set(err, -EINVAL,
                       "%s: its table of %lld rows of %lld bytes with %lld columns makes no sense", path,
                       layout->rows, layout->row_size, *fields);
    return 0;
}

int table_layout_read(struct table_layout *layout, const struct fits_header *header, const char *path,
                      struct err *err)
{
    long long fields = 0;
    memset(layout, 0, sizeof *layout);
    int code = check_sizes(layout, header, &fields, path, err);
    if (code)
        return code;
    CLEANUP(free_ptr) int *told = calloc((size_t)fields + 1, sizeof *told);
    layout->columns = calloc((size_t)fields + 1, sizeof *layout->columns);
    if (!told || !layout->columns)
        return err_set(err, -ENOMEM, "out of memory for the columns of %s", path);
    layout->count = (size_t)fields;
    for (size_t c = 0; c < layout->count; c++)
        layout->columns[c].scale = 1;
    code = take_cards(layout, told, header, path, err);
    return code ? code : place_columns(layout, told, path, err);
}
