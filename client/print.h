/* What a person reads: colours, widths, spans, tables, wrapped text. Colour and cursor motion only on a
 * terminal (and never with NO_COLOR or TERM=dumb); columns are counted in code points. */
#ifndef DECOY_CLIENT_PRINT_H
#define DECOY_CLIENT_PRINT_H

#include "common/cleanup.h"
#include "common/clock.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum print_color { COLOR_NONE, COLOR_GOOD, COLOR_BAD, COLOR_BUSY, COLOR_FAINT, COLOR_STRONG, COLOR_MAX };

bool print_is_terminal(FILE *stream); /* one that understands cursor motion */
int print_width(void);                /* columns of standard output's terminal; 0 when it is none */
const char *print_color(FILE *stream, enum print_color color); /* "" where there is no colour */

/* "0.4 s", "45 s", "3 min 20 s", ...; returns text. */
const char *print_span(double seconds, char text[CLOCK_TEXT_MAX]);

/* "17", "12.3k", "1.25M"; returns text. */
const char *print_count(double number, char text[CLOCK_TEXT_MAX]);

/* The first `columns` columns of text in fresh memory, with ".." at its end if anything is lost. */
char *print_cut(const char *text, int columns);
int print_columns(const char *text);

/* Words broken at `width` columns (0: not at all), each line after the first indented. The first line starts
 * at column `at`. Ends with a newline. */
void print_wrapped(FILE *stream, const char *text, int at, int indent, int width);

/* A table whose columns are as wide as their widest cell. */
struct table;
struct table_column {
    const char *title;
    bool right; /* aligned */
    bool flex;  /* is cut when the table is too wide for the terminal */
};
struct table *table_create(const struct table_column *columns, size_t count);
void table_destroy(struct table *table);
CLEANUP_DEFINE(table_destroy_ptr, struct table, table_destroy)
void table_add(struct table *table, const char *const *cells); /* copies */
char *table_format(const struct table *table, int width);      /* 0: any width; fresh memory */

/* Job ids as the verbs take them, "3 7-9", in fresh memory. */
char *print_ids(const json_t *ids);

/* {"v": 1} and the members of value on one line; takes the reference. */
void print_json(json_t *value);

#endif
