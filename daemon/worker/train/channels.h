/* What the scales of net/input.h want to know of the training part. */
#ifndef DECOY_TRAIN_CHANNELS_H
#define DECOY_TRAIN_CHANNELS_H

#include "daemon/worker/dataset/dataset.h"
#include "daemon/worker/net/input.h"

#include <stdbool.h>

/* Fills one item a channel; names are the dataset's. The median is the manifest's; with `measured`, mean and
 * deviation are of the finite pixels of at most 1,024 examples, evenly spaced over the training part. */
int channels_describe(struct dataset *dataset, bool measured, struct input_channel *channels,
                      struct err *err);

#endif
