/* See print.h. */
#include "client/print.h"
#include "common/str.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool print_is_terminal(FILE *stream)
{
    const char *kind = getenv("TERM");
    return isatty(fileno(stream)) && kind && strcmp(kind, "dumb") != 0;
}

int print_width(void)
{
    struct winsize size;
    if (!isatty(STDOUT_FILENO))
        return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col < 20 ? 20 : size.ws_col;
}

const char *print_color(FILE *stream, enum print_color color)
{
    static const char *const CODES[COLOR_MAX] = {"\033[0m",  "\033[32m", "\033[31m",
                                                 "\033[36m", "\033[2m",  "\033[1m"};
    const char *refused = getenv("NO_COLOR");
    return print_is_terminal(stream) && !(refused && *refused) ? CODES[color] : "";
}

const char *print_span(double seconds, char text[CLOCK_TEXT_MAX])
{
    if (!(seconds < 9.95))
        return clock_format_span(seconds, text);
    snprintf(text, CLOCK_TEXT_MAX, "%.1f s", seconds > 0 ? seconds : 0);
    return text;
}

const char *print_count(double number, char text[CLOCK_TEXT_MAX])
{
    static const struct {
        double unit;
        const char *letter;
    } UNITS[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
    bool whole = fabs(number - nearbyint(number)) < 1e-9;
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        if (fabs(number) >= 9.9995 * UNITS[i].unit || (i < 2 && fabs(number) >= 0.99995 * UNITS[i].unit)) {
            snprintf(text, CLOCK_TEXT_MAX, "%.*f%s", fabs(number) < 9.995 * UNITS[i].unit ? 2 : 1,
                     number / UNITS[i].unit, UNITS[i].letter);
            return text;
        }
    }
    int digits = whole || fabs(number) >= 99.95 ? 0 : fabs(number) >= 9.995 ? 1 : 2;
    snprintf(text, CLOCK_TEXT_MAX, "%.*f", digits, number);
    return text;
}

/* Bytes of the first `columns` code points. */
static size_t prefix_bytes(const char *text, int columns)
{
    size_t at = 0;
    while (text[at] && columns > 0) {
        at++;
        while (((unsigned char)text[at] & 0xc0) == 0x80)
            at++;
        columns--;
    }
    return at;
}

int print_columns(const char *text)
{
    int count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

char *print_cut(const char *text, int columns)
{
    if (print_columns(text) <= columns)
        return str_format("%s", text);
    bool dots = columns > 4;
    return str_format("%.*s%s", (int)prefix_bytes(text, columns - (dots ? 2 : 0)), text, dots ? ".." : "");
}

void print_wrapped(FILE *stream, const char *text, int at, int indent, int width)
{
    bool fresh = true;
    while (*text) {
        size_t length = strcspn(text, " \n");
        int columns = 0;
        for (size_t i = 0; i < length; i++)
            columns += ((unsigned char)text[i] & 0xc0) != 0x80;
        if (width && !fresh && at + 1 + columns > width) {
            fprintf(stream, "\n%*s", indent, "");
            at = indent;
            fresh = true;
        }
        fprintf(stream, "%s%.*s", fresh ? "" : " ", (int)length, text);
        at += columns + !fresh;
        fresh = false;
        text += length;
        if (*text == '\n') {
            fprintf(stream, "\n%*s", text[1] && text[1] != '\n' ? indent : 0, "");
            at = indent;
            fresh = true;
        }
        text += *text != '\0';
    }
    fputc('\n', stream);
}

struct table {
    const struct table_column *columns;
    size_t width, rows, room; /* cells in a row; rows; rows that there is memory for */
    char **cells; /* those of a row are one piece of memory, which the first one is */
};

struct table *table_create(const struct table_column *columns, size_t count)
{
    struct table *table = calloc(1, sizeof *table);
    if (!table)
        abort();
    table->columns = columns;
    table->width = count;
    return table;
}

void table_destroy(struct table *table)
{
    if (!table)
        return;
    for (size_t row = 0; row < table->rows; row++)
        free(table->cells[row * table->width]);
    free(table->cells);
    free(table);
}

void table_add(struct table *table, const char *const *cells)
{
    if (table->rows == table->room) {
        table->room = table->room ? 2 * table->room : 64;
        table->cells = reallocarray(table->cells, table->room * table->width, sizeof *table->cells);
        if (!table->cells)
            abort();
    }
    size_t size = 0;
    for (size_t i = 0; i < table->width; i++)
        size += strlen(cells[i]) + 1;
    char *at = malloc(size);
    if (!at)
        abort();
    for (size_t i = 0; i < table->width; i++) {
        table->cells[table->rows * table->width + i] = at;
        at = stpcpy(at, cells[i]) + 1;
    }
    table->rows++;
}

/* The widest column that may be cut further; -1: none. A column keeps its title, and eight columns. */
static int widest_column(const struct table *table, const int *widths)
{
    int widest = -1;
    for (size_t i = 0; i < table->width; i++) {
        int title = print_columns(table->columns[i].title), least = title > 8 ? title : 8;
        if (table->columns[i].flex && widths[i] > least && (widest < 0 || widths[i] >= widths[widest]))
            widest = (int)i;
    }
    return widest;
}

static void measure_columns(const struct table *table, int width, int *widths)
{
    int total = 0, widest;
    for (size_t i = 0; i < table->width; i++) {
        widths[i] = print_columns(table->columns[i].title);
        for (size_t row = 0; row < table->rows; row++) {
            int columns = print_columns(table->cells[row * table->width + i]);
            widths[i] = columns > widths[i] ? columns : widths[i];
        }
        total += widths[i] + (i ? 2 : 0);
    }
    for (; width && total > width && (widest = widest_column(table, widths)) >= 0; total--)
        widths[widest]--;
}

static void fill(FILE *stream, int columns)
{
    for (int i = 0; i < columns; i++)
        putc_unlocked(' ', stream);
}

static void format_row(FILE *stream, const struct table *table, const char *const *cells, const int *widths)
{
    size_t count = table->width;
    while (count > 0 && !*cells[count - 1])
        count--;
    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count;
        int pad = widths[i] - print_columns(cells[i]);
        CLEANUP(free_ptr) char *cut = pad < 0 ? print_cut(cells[i], widths[i]) : NULL;
        if (i)
            fputs("  ", stream);
        if (table->columns[i].right)
            fill(stream, pad);
        fputs(cut ? cut : cells[i], stream);
        if (!table->columns[i].right && !last)
            fill(stream, pad);
    }
    putc_unlocked('\n', stream);
}

char *table_format(const struct table *table, int width)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    CLEANUP(free_ptr) int *widths = calloc(table->width, sizeof *widths);
    CLEANUP(free_ptr) const char **titles = calloc(table->width, sizeof *titles);
    if (!stream || !widths || !titles)
        abort();
    measure_columns(table, width, widths);
    for (size_t i = 0; i < table->width; i++)
        titles[i] = table->columns[i].title;
    format_row(stream, table, titles, widths);
    for (size_t row = 0; row < table->rows; row++)
        format_row(stream, table, (const char *const *)&table->cells[row * table->width], widths);
    fclose(stream);
    return text;
}

char *print_ids(const json_t *ids)
{
    char *text = NULL;
    size_t size, count = json_array_size(ids);
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        abort();
    for (size_t i = 0; i < count; i++) {
        json_int_t first = json_integer_value(json_array_get(ids, i)), last = first;
        while (i + 1 < count && json_integer_value(json_array_get(ids, i + 1)) == last + 1)
            i++, last++;
        fprintf(stream, "%s%lld", ftell(stream) > 0 ? " " : "", (long long)first);
        if (last > first)
            fprintf(stream, "-%lld", (long long)last);
    }
    fclose(stream);
    return text;
}

void print_json(json_t *value)
{
    json_t *whole = json_pack("{si}", "v", 1);
    json_object_update(whole, value);
    json_decref(value);
    json_dumpf(whole, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
    putchar('\n');
    fflush(stdout);
    json_decref(whole);
}
