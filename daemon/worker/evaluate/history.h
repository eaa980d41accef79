/* The learning curve of a train job, from its metrics.jsonl: rows with step and loss or accuracy, and, once
 * an epoch, rows with valid_loss and valid_accuracy. */
#ifndef DECOY_EVALUATE_HISTORY_H
#define DECOY_EVALUATE_HISTORY_H

#include "common/cleanup.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

struct history_series {
    double *values; /* rows x 2: step, value */
    size_t rows;
};

struct history {
    size_t logged; /* rows of training; train has at most 150, means of equal runs of them */
    struct history_series train, valid;
};

/* directory: a train job's output. accuracy: that, or the loss. -EINVAL names the line that is not JSON;
 * -ENOENT when there is no such row. */
int history_read(struct history **out, const char *directory, bool accuracy, struct err *err);
void history_free(struct history *history);
CLEANUP_DEFINE(history_free_ptr, struct history, history_free)

#endif
