/* A rank's micro-batches, read, augmented and converted by a thread of its own ahead of the network, which
 * waits only when that thread is slower than itself. Which rows a batch has is told by the caller beforehand,
 * so that what comes next is asked of the disk long before it is needed, in the order in which it lies there. */
#ifndef DECOY_TRAIN_LOADER_H
#define DECOY_TRAIN_LOADER_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/worker/dataset/dataset.h"
#include "daemon/worker/net/augment.h"
#include "daemon/worker/net/input.h"

struct loader;

/* All borrowed until the loader is destroyed. The thread alone converts with input. */
struct loader_options {
    struct dataset *dataset;
    struct input *input;
    int micro_batch;
    int group_rows;                    /* are asked of the disk while as many before them are converted */
    bool larger_than_memory;           /* the dataset: what was converted is not kept in the page cache */
    uint64_t seed;                     /* of the augmentation */
    struct augment augment;            /* of passes over the training part */
    bool (*stop)(const void *context); /* asked while loader_next waits; NULL: it waits as long as it takes */
    const void *stop_context;
};

int loader_create(struct loader **out, const struct loader_options *options, struct err *err);
void loader_destroy(struct loader *loader);
CLEANUP_DEFINE(loader_destroy_ptr, struct loader, loader_destroy)

/* Some rows of a pass: count of them from `first` on. */
struct loader_rows {
    int64_t first;
    int count; /* 1 .. micro_batch */
};

/* A pass over a part. Its batch i has the rows that rows(context, i) tells, called from the thread. order:
 * what example a row is, NULL: rows are examples; unchanged until the pass has ended. */
struct loader_pass {
    enum dataset_part part;
    struct dataset_order *order; /* the thread alone uses it */
    uint64_t epoch;              /* of the augmentation */
    int64_t batches;
    struct loader_rows (*rows)(const void *context, int64_t batch);
    const void *context;
};

/* Begins a pass; one under way is given up. The pass is copied. */
void loader_start(struct loader *loader, const struct loader_pass *pass);

/* What the network is given: of each stamp its planes (input.h), side by side. */
struct loader_batch {
    const float *planes;
    const uint8_t *labels;
    int count;
};

/* The next batch of the pass, which must have one left; its memory is the loader's until the next call. count is 0, and
 * the batch still to come, when `stop` said so before it was there: a slow disk does not keep a training from stopping.
 * A shard that cannot be read is an error. */
int loader_next(struct loader *loader, struct loader_batch *batch, struct err *err);

/* Ends a pass, done or not, and waits until its order and context are no longer looked at: for the stamp in hand. */
void loader_stop(struct loader *loader);

#endif
