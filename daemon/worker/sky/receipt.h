/* A brick's receipt: written last, when all its files are in place, with their sizes and checksums and with
 * all that they were made from. A brick whose receipt does not verify is not done. */
#ifndef DECOY_SKY_RECEIPT_H
#define DECOY_SKY_RECEIPT_H

#include "common/err.h"

#include <jansson.h>
#include <stdbool.h>

/* [{"path", "size", "mtime_ns", "xxh3"}, ...] of files that are there; a new reference in *list. */
int receipt_list_files(const char *const *paths, size_t count, json_t **list, struct err *err);

/* {"made_from": ..., "counts": ..., "files": ...}; borrows all three. */
int receipt_publish(const char *path, const json_t *made_from, const json_t *counts, const json_t *files,
                    struct err *err);

/* True when the receipt is there, was made from the same with the inputs of these paths, and every input (made_from's
 * "inputs", which is not in the made_from given here) and every file is as it was; *counts is then a new reference.
 * A file of the size and modification time it had is not read again: a pass over a survey would be one over all its
 * bytes. One with another time is, so that a copy holds. */
bool receipt_holds(const char *path, const json_t *made_from, const char *const *inputs, size_t input_count,
                   json_t **counts);

#endif
