/* What a run tells while it goes: rows to metrics.jsonl, TensorBoard's events in logs/ and the daemon. Rank
 * 0 alone has one. Rows of metrics.jsonl, one JSON object a line, by their keys:
 *
 *   every few steps: step, epoch, loss, accuracy, rate, gradient_norm (of the last step, before
 *                    clipping), img_per_s, input_share (of the time, waiting for input)
 *   every epoch:     step, epoch, epoch_loss, epoch_accuracy, and valid_loss, valid_accuracy, valid_auc
 *                    where there is a validation part
 *
 * loss and accuracy are means over the examples since the last such row, in training. */
#ifndef DECOY_TRAIN_JOURNAL_H
#define DECOY_TRAIN_JOURNAL_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/worker/link.h"
#include "daemon/worker/net/model.h"
#include "daemon/worker/report/picture.h"
#include "daemon/worker/train/checkpoint.h"

struct journal;

/* directory: of the run. Rows of metrics.jsonl that are later than state are cut off, so that none stands
 * twice; at step 0 the network's graph is written. */
int journal_open(struct journal **out, const char *directory, const struct model *model,
                 const struct train_state *state, struct link *link, struct err *err);
void journal_close(struct journal *journal);
CLEANUP_DEFINE(journal_close_ptr, struct journal, journal_close)

/* img_per_s, input_share: since the last row, by the clock. */
int journal_steps(struct journal *journal, const struct train_state *state, int64_t epoch, double rate,
                  double gradient_norm, double img_per_s, double input_share, struct err *err);
/* with_validation: state's valid_loss and valid_accuracy are of this epoch. */
int journal_epoch(struct journal *journal, const struct train_state *state, int64_t epoch,
                  bool with_validation, struct err *err);

/* A picture in TensorBoard, which draws it as it is. */
int journal_picture(struct journal *journal, int64_t step, const char *tag, const struct picture *picture,
                    struct err *err);

/* A histogram of each tensor in TensorBoard, "conv1/weight" and so on. */
int journal_weights(struct journal *journal, int64_t step, const struct model *model, const float *parameters,
                    struct err *err);

/* Before a checkpoint: all rows so far are on disk. */
int journal_sync(struct journal *journal, struct err *err);

#endif
