/* Job arrays as one row. The jobs of an array have ids in one run, and each names the first. */
#ifndef DECOY_CLIENT_ARRAY_H
#define DECOY_CLIENT_ARRAY_H

#include <jansson.h>

/* Of the array that is counted so, [{"array", "last", "counts"}] as decoyd has them; NULL: it is not among them. */
const json_t *array_find(const json_t *arrays, json_int_t id);

/* The state that stands for all of it: the first of running, ready, waiting, held, failed, ... that any of its jobs is in. */
const char *array_state(const json_t *array);

/* Makes the row of one of its jobs that of the array: its state, "last" (the last id) and "counts" ({state: n}). */
void array_fold(json_t *row, const json_t *array);

/* "12", or "12-111" for a folded row; "" or "7 of 100 done, 3 running, 1 failed". Fresh memory. */
char *array_row_ids(const json_t *row);
char *array_row_counts(const json_t *row);

#endif
