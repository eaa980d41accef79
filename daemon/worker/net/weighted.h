/* Private to net/. What convolution and dense layers share: a forward primitive with bias and fused ReLU,
 * and the two gradients. The kinds give layouts and descriptors. */
#ifndef DECOY_NET_WEIGHTED_H
#define DECOY_NET_WEIGHTED_H

#include "daemon/worker/net/layer.h"

struct tensor {
    dnnl_memory_desc_t layout;
    void *data; /* the network's, or a buffer of the layer's */
};

struct weighted {
    struct tensor source, target, diff_source, diff_target; /* as the kernels read and write them */
    dnnl_memory_desc_t bias;
    dnnl_memory_desc_t weights_any, weights_plain; /* left to the kernel; as in the parameter block */
    dnnl_primitive_desc_t forward;                 /* hint of the gradients; weighted_end frees it */
    const char *
        avoid; /* implementations of the weights' gradient not to take, by how their names begin; NULL: none */
};

/* Sets the four tensors to float32 activations of the layer. */
void weighted_begin(struct weighted *weighted, struct layer *layer, const dnnl_memory_desc_t *source,
                    const dnnl_memory_desc_t *target);

/* descriptor: a dnnl_convolution_desc_t or dnnl_inner_product_desc_t. */
int weighted_forward(struct weighted *weighted, struct layer *layer, const struct layer_plan *plan,
                     const void *descriptor, struct err *err);
int weighted_backward_weights(struct weighted *weighted, struct layer *layer, const struct layer_plan *plan,
                              const void *descriptor, struct err *err);
int weighted_backward_source(struct weighted *weighted, struct layer *layer, const struct layer_plan *plan,
                             const void *descriptor, struct err *err);
void weighted_end(struct weighted *weighted);

#endif
