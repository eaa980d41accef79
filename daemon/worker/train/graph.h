/* The network as TensorBoard draws it. */
#ifndef DECOY_TRAIN_GRAPH_H
#define DECOY_TRAIN_GRAPH_H

#include "daemon/worker/net/model.h"
#include "daemon/worker/report/events.h"

/* A node for the stamps, for each layer, for the ReLU of one that has it, and for the softmax; a residual block's
 * two branches part at its "in" and meet at its sum. */
int graph_write(struct events *events, const struct model *model, struct err *err);

#endif
