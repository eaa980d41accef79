/* See layer.h: what the kinds of layers share. */
#include "daemon/worker/net/layer.h"

#include <errno.h>
#include <stdlib.h>

bool layer_kernels_suit(void)
{
#if defined __x86_64__
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false; /* never timed elsewhere */
#endif
}

bool layer_has_backward(const struct layer_plan *plan)
{
    return plan->weight_gradient || plan->source_gradient;
}

void layer_destroy(struct layer *layer)
{
    struct program *programs[] = {&layer->load, &layer->forward, &layer->backward};
    for (size_t p = 0; p < sizeof programs / sizeof *programs; p++) {
        for (int i = 0; i < programs[p]->count; i++)
            op_destroy(&programs[p]->ops[i]);
    }
    for (int i = 0; i < layer->buffer_count; i++)
        free(layer->buffers[i]);
    free(layer->own);
}

int layer_run(const struct program *program, const struct engine *engine, struct err *err)
{
    int code = 0;
    for (int i = 0; i < program->count && !code; i++)
        code = op_run(&program->ops[i], engine, err);
    return code;
}

struct op *layer_op(struct program *program)
{
    return &program->ops[program->count++];
}

void layer_call(struct program *program, op_call *call, void *context)
{
    struct op *op = layer_op(program);
    op->call = call;
    op->context = context;
}

void *layer_buffer(struct layer *layer, size_t size, struct err *err)
{
    void *buffer = op_allocate(size, err);
    if (buffer) {
        layer->buffers[layer->buffer_count++] = buffer;
        layer->buffer_bytes += size;
    }
    return buffer;
}

dnnl_memory_desc_t layer_activation(const struct layer_plan *plan, struct model_shape shape)
{
    dnnl_memory_desc_t layout;
    dnnl_dims_t sizes = {plan->batch, shape.channels, shape.side_px, shape.side_px};
    dnnl_memory_desc_init_by_tag(&layout, 4, sizes, dnnl_f32, dnnl_nhwc);
    return layout;
}

size_t layer_count(struct model_shape shape)
{
    return (size_t)shape.side_px * (size_t)shape.side_px * (size_t)shape.channels;
}

dnnl_memory_desc_t layer_vector(size_t count)
{
    dnnl_memory_desc_t layout;
    dnnl_dims_t sizes = {(dnnl_dim_t)count};
    dnnl_memory_desc_init_by_tag(&layout, 1, sizes, dnnl_f32, dnnl_a);
    return layout;
}

int layer_load_weights(struct layer *layer, const struct layer_plan *plan, const dnnl_memory_desc_t *plain,
                       const dnnl_memory_desc_t *wanted, void **loaded, struct err *err)
{
    float *weights = plan->parameters + layer->model->weight;
    *loaded = weights;
    if (dnnl_memory_desc_equal(plain, wanted))
        return 0;
    *loaded = layer_buffer(layer, dnnl_memory_desc_get_size(wanted), err);
    return *loaded
               ? op_create_reorder(layer_op(&layer->load), plan->engine, plain, weights, wanted, *loaded, err)
               : -ENOMEM;
}

int layer_sink_weights(struct layer *layer, const struct layer_plan *plan, struct op *op,
                       const dnnl_memory_desc_t *plain, const dnnl_memory_desc_t *given, struct err *err)
{
    layer->weight_sink = op;
    layer->weight_argument = DNNL_ARG_DIFF_WEIGHTS;
    if (dnnl_memory_desc_equal(plain, given))
        return op_bind(op, plan->engine, DNNL_ARG_DIFF_WEIGHTS, given, NULL, err);
    void *blocked = layer_buffer(layer, dnnl_memory_desc_get_size(given), err);
    if (!blocked)
        return -ENOMEM;
    int code = op_bind(op, plan->engine, DNNL_ARG_DIFF_WEIGHTS, given, blocked, err);
    if (code)
        return code;
    layer->weight_sink = layer_op(&layer->backward);
    layer->weight_argument = DNNL_ARG_TO;
    return op_create_reorder(layer->weight_sink, plan->engine, given, blocked, plain, NULL, err);
}

int layer_fuse_relu(dnnl_primitive_attr_t *attributes, struct err *err)
{
    dnnl_post_ops_t after;
    int code = op_status(dnnl_primitive_attr_create(attributes), "fuse a ReLU", err);
    if (code)
        return code;
    code = op_status(dnnl_post_ops_create(&after), "fuse a ReLU", err);
    if (code)
        return code;
    dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_relu, 0, 0);
    code = op_status(dnnl_primitive_attr_set_post_ops(*attributes, after), "fuse a ReLU", err);
    dnnl_post_ops_destroy(after);
    return code;
}

/* By the sign of the target, since what went into the ReLU was never stored. */
int layer_append_relu_backward(struct layer *layer, const struct layer_plan *plan, struct err *err)
{
    if (!layer->model->relu || !layer_has_backward(plan))
        return 0;
    dnnl_memory_desc_t layout = layer_activation(plan, layer->model->out);
    dnnl_eltwise_desc_t forward, backward;
    dnnl_primitive_desc_t hint = NULL, description = NULL;
    struct op *op = layer_op(&layer->backward);
    dnnl_eltwise_forward_desc_init(&forward, dnnl_forward_training, dnnl_eltwise_relu_use_dst_for_bwd,
                                   &layout, 0, 0);
    dnnl_eltwise_backward_desc_init(&backward, dnnl_eltwise_relu_use_dst_for_bwd, &layout, &layout, 0, 0);
    int code = op_describe(&hint, plan->engine, &forward, NULL, NULL, err);
    if (!code)
        code = op_describe(&description, plan->engine, &backward, NULL, hint, err);
    if (!code)
        code = op_create(op, description, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_DST, &layout, layer->target, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_DIFF_DST, &layout, layer->diff_target, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_DIFF_SRC, &layout, layer->diff_target, err);
    dnnl_primitive_desc_destroy(hint);
    dnnl_primitive_desc_destroy(description);
    return code;
}
