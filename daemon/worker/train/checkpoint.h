/* Checkpoints, ckpts/ckpt-<step>.h5: what a run needs to go on as if it had never stopped.
 *
 * Datasets `parameters`, `moments/first`, `moments/second` (float32, the block of net/model.h); attributes of the
 * file: every item of struct train_state, epoch, cursor, all of `setup`, and an XXH3-64 of each block. After
 * the HDF5 file stand 16 bytes more (HDF5 does not mind): "decoyck1" and the XXH3-64 of all bytes before, so
 * that a torn or altered file is told before HDF5 sees it. */
#ifndef DECOY_TRAIN_CHECKPOINT_H
#define DECOY_TRAIN_CHECKPOINT_H

#include "common/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* All that changes while training, besides the three blocks. */
struct train_state {
    int64_t step;           /* steps done */
    int64_t validated_step; /* the last step after which the validation part was looked at; 0: none yet */
    int64_t best_step;      /* of the least validation loss; 0: none yet */
    double best_loss, best_accuracy;
    double valid_loss, valid_accuracy; /* at validated_step */
    double valid_auc;                  /* the same; 0: too few of a class for one */
    double row_loss, row_correct;      /* sums since the last row of metrics.jsonl ... */
    int64_t row_count;                 /* ... over so many examples */
    double epoch_loss, epoch_correct;  /* the same since the epoch began */
    int64_t epoch_count;
    double train_loss, train_accuracy; /* of the last whole epoch */
};

struct checkpoint {
    struct train_state state;
    float *parameters, *first, *second; /* count each; the caller's */
    size_t count;
    int64_t steps_per_epoch;
    const json_t *setup; /* flat object of texts and numbers: what must be equal to go on (dataset, model,
                            batch, schedule, ...), and `library` and `threads`, which should be */
};

/* Writes directory/ckpt-<step>.h5 and reads it back; what is returned with 0 can be trusted. */
int checkpoint_save(const char *directory, const struct checkpoint *checkpoint, struct err *err);

/* Deletes all but the last `keep` up to newest_step and that of best_step. Those beyond newest_step, which
 * was just saved, are ones that were passed over. */
int checkpoint_prune(const char *directory, int keep, int64_t newest_step, int64_t best_step,
                     struct err *err);

/* Deletes what saves that were killed left half-written. For the one process that writes here. */
void checkpoint_sweep(const char *directory);

/* Called with one sentence for each checkpoint that was passed over, and for what should be equal and is not.
 */
typedef void checkpoint_warn(void *context, const char *text);

/* Fills state and blocks from the newest checkpoint that verifies. -ENOENT: there is none. -ESTALE and a
 * sentence: it belongs to another dataset, model or schedule. */
int checkpoint_load_newest(const char *directory, struct checkpoint *checkpoint, checkpoint_warn *warn,
                           void *context, struct err *err);

/* One by its step, for the best one's parameters. Every failure is told apart from damage by -ENOENT. */
int checkpoint_load(const char *directory, int64_t step, struct checkpoint *checkpoint, json_t **attributes,
                    struct err *err);

/* Steps of the checkpoints there are, newest first; *steps is the caller's to free, as is a path. */
int checkpoint_list(const char *directory, int64_t **steps, size_t *count, struct err *err);
char *checkpoint_path(const char *directory, int64_t step);

/* Whether a file is whole and of that step. *attributes: its own, the caller's, also of one that is not. */
int checkpoint_verify(const char *path, int64_t step, json_t **attributes, struct err *err);

#endif
