/* Private to net/. A layer is three short programs of primitives: load (parameters into the layouts the
 * kernels chose, once a step), forward and backward. Kinds differ only in what they put there. */
#ifndef DECOY_NET_LAYER_H
#define DECOY_NET_LAYER_H

#include "daemon/worker/net/model.h"
#include "daemon/worker/net/network.h"
#include "daemon/worker/net/op.h"

enum { LAYER_OPS_MAX = 6, LAYER_BUFFERS_MAX = 8 };

struct program {
    struct op ops[LAYER_OPS_MAX];
    int count;
};

/* What a layer is made for. */
struct layer_plan {
    const struct engine *engine;
    int batch, threads;              /* N; OpenMP's */
    bool weight_gradient;            /* backward gives the gradient of the weights */
    bool source_gradient;            /* backward gives diff_source */
    bool bf16;                       /* convolutions multiply in bfloat16 (bf16.h) */
    float *parameters;               /* the whole block, read by load */
    int index;                       /* of the layer in the model */
    const struct network_pass *pass; /* the present one */
    const double *loss_weight;       /* of each stamp, since network_loss */
};

struct layer {
    const struct model_layer *model;
    float *source, *target;           /* (N, S, S, C); borrowed from the network */
    float *diff_source, *diff_target; /* the loss's derivatives by them; target's is overwritten by ReLU's */
    float *shortcut, *diff_shortcut;  /* an ADD's other source; a FORK: where its two derivatives come from */
    struct program load, forward, backward;
    struct op *weight_sink, *bias_sink; /* whose outputs go into the gradient block */
    int weight_argument;
    float *gradient;                  /* the block that this backward pass fills, for kernels of our own */
    void *own;                        /* their plan, owned */
    void *buffers[LAYER_BUFFERS_MAX]; /* weights in the kernels' layouts, workspaces; owned */
    int buffer_count;
    size_t buffer_bytes;
};

/* One function a kind: fills the three programs. A failed one leaves what layer_destroy frees. */
typedef int layer_create(struct layer *layer, const struct layer_plan *plan, struct err *err);
layer_create layer_create_conv, layer_create_pool, layer_create_dense, layer_create_batchnorm,
    layer_create_dropout, layer_create_eltwise, layer_create_fork, layer_create_add;

void layer_destroy(struct layer *layer);
int layer_run(const struct program *program, const struct engine *engine, struct err *err);

/* For the kinds. */
bool layer_kernels_suit(void); /* whether this processor runs our own kernels (lanes.h) */
bool layer_has_backward(const struct layer_plan *plan);
struct op *layer_op(struct program *program);                           /* the next free one */
void layer_call(struct program *program, op_call *call, void *context); /* appends a kernel of our own */
void *layer_buffer(struct layer *layer, size_t size, struct err *err);
dnnl_memory_desc_t layer_activation(const struct layer_plan *plan, struct model_shape shape); /* nhwc */
dnnl_memory_desc_t layer_vector(size_t count);
size_t layer_count(struct model_shape shape); /* floats of a stamp */

/* Appends a reorder of the layer's weights from the block to a fresh buffer laid out as wanted; *loaded is
 * it. */
int layer_load_weights(struct layer *layer, const struct layer_plan *plan, const dnnl_memory_desc_t *plain,
                       const dnnl_memory_desc_t *wanted, void **loaded, struct err *err);
/* Binds the weight gradient of op, laid out as given, so that it ends plain in the gradient block. */
int layer_sink_weights(struct layer *layer, const struct layer_plan *plan, struct op *op,
                       const dnnl_memory_desc_t *plain, const dnnl_memory_desc_t *given, struct err *err);
/* ReLU: attributes that fuse it into a forward primitive, and its backward (in place on diff_target) where there is
 * any. */
int layer_fuse_relu(dnnl_primitive_attr_t *attributes, struct err *err);
int layer_append_relu_backward(struct layer *layer, const struct layer_plan *plan, struct err *err);

#endif
