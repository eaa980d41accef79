/* What a layer costs, counted, not timed. */
#ifndef DECOY_NET_COST_H
#define DECOY_NET_COST_H

#include "daemon/worker/net/model.h"

/* Floating-point operations of a forward pass of one stamp, a product and its addition being two, as direct
 * loops make them (a kernel that transforms makes fewer). Only layers with weights count: 0 for others. */
double cost_forward_flops(const struct model_layer *layer);

/* Of a training step: forward, the gradient of the weights, and, but for a layer that reads the stamps, the
 * gradient of its input, each as dear as the first. */
double cost_step_flops(const struct model *model, int layer);

#endif
