/* Stamps of the validation part as pictures in TensorBoard. */
#ifndef DECOY_TRAIN_STAMPS_H
#define DECOY_TRAIN_STAMPS_H

#include "daemon/worker/train/trainer.h"

/* After a pass over the validation part, on rank 0: "gallery/giveaways", the fakes with the highest scores, and
 * "gallery/passed", those with the lowest. scores and labels: of each of its examples. Nothing is drawn of channels
 * that are no bands. */
int stamps_tell(struct trainer *trainer, const double *scores, const uint8_t *labels, struct err *err);

#endif
