/* Job arrays as one row. The jobs of an array have ids in one run, and each names the first. */
#ifndef DECOY_CLIENT_ARRAY_H
#define DECOY_CLIENT_ARRAY_H

#include <jansson.h>

/* Rows with those of an array made one, which is that of its least finished job with "last" (the last id) and
 * "counts" ({state: n}). arrays: those counts as decoyd has them, [{"array", "last", "counts"}]. A new reference. */
json_t *array_fold(const json_t *rows, const json_t *arrays);

/* "12", or "12-111" for a folded row; "" or "7 of 100 done, 3 running, 1 failed". Fresh memory. */
char *array_row_ids(const json_t *row);
char *array_row_counts(const json_t *row);

#endif
