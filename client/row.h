/* One job as decoyd tells of it (proto/README.md: ROW), and how it reads in one line. */
#ifndef DECOY_CLIENT_ROW_H
#define DECOY_CLIENT_ROW_H

#include "client/print.h"

#include <jansson.h>
#include <stdbool.h>

const char *row_text(const json_t *row, const char *member); /* "" where there is none */
long row_id(const json_t *row);
const char *row_label(const json_t *row); /* its name, else its kind */
bool row_is(const json_t *row, const char *state);
bool row_ended(const json_t *row);
enum print_color row_color(const json_t *row);

/* Seconds it has run or ran; now_us for one that still does. 0 for one that never started. */
double row_span_s(const json_t *row, int64_t now_us);

/* "8/17 bricks", "12.0k/30.0k examples"; "" without progress. Fresh memory, as all below. */
char *row_progress(const json_t *row);

/* A running job's line of at most width columns: id, name, bar, percent, counts, rate, time left. */
char *row_bar(const json_t *row, int width, bool utf8);

/* Columns that labels have on lines of so many. */
int row_label_columns(int width);

/* "succeeded in 12 s", "failed after 2 s: sentence". */
char *row_outcome(const json_t *row);

#endif
