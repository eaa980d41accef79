/* Average and maximum pooling over square windows. Padding does not count in the mean: a window that hangs
 * over the edge averages what of it lies inside, as TensorFlow does. */
#include "daemon/worker/net/average.h"
#include "daemon/worker/net/layer.h"

#include <errno.h>
#include <stdlib.h>

struct pool {
    dnnl_memory_desc_t source, target;
    dnnl_dims_t window, strides, before, after;
    dnnl_alg_kind_t algorithm;
    dnnl_primitive_desc_t forward;
    void *workspace; /* where each maximum was found; NULL for means */
};

static void lay_out(struct pool *pool, const struct layer *layer, const struct layer_plan *plan)
{
    const struct model_layer *model = layer->model;
    pool->source = layer_activation(plan, model->in);
    pool->target = layer_activation(plan, model->out);
    pool->algorithm = model->type == MODEL_MAXPOOL ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding;
    for (int i = 0; i < 2; i++) {
        pool->window[i] = model->kernel_px;
        pool->strides[i] = model->stride_px;
        pool->before[i] = model->pad_before_px;
        pool->after[i] = model->pad_after_px;
    }
}

static int bind_workspace(struct pool *pool, struct layer *layer, struct op *op,
                          const struct layer_plan *plan, struct err *err)
{
    const dnnl_memory_desc_t *layout = op_layout(pool->forward, dnnl_query_workspace_md);
    size_t size = dnnl_memory_desc_get_size(layout);
    if (!size)
        return 0;
    if (!pool->workspace)
        pool->workspace = layer_buffer(layer, size, err);
    return pool->workspace ? op_bind(op, plan->engine, DNNL_ARG_WORKSPACE, layout, pool->workspace, err)
                           : -ENOMEM;
}

static int create_forward(struct layer *layer, struct pool *pool, const struct layer_plan *plan,
                          struct err *err)
{
    dnnl_pooling_desc_t descriptor;
    struct op *op = layer_op(&layer->forward);
    int code = op_status(dnnl_pooling_forward_desc_init(&descriptor, dnnl_forward_training, pool->algorithm,
                                                        &pool->source, &pool->target, pool->strides,
                                                        pool->window, pool->before, pool->after),
                         "plan a pooling", err);
    if (!code)
        code = op_describe(&pool->forward, plan->engine, &descriptor, NULL, NULL, err);
    if (!code)
        code = op_create(op, pool->forward, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_SRC, &pool->source, layer->source, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_DST, &pool->target, layer->target, err);
    return code ? code : bind_workspace(pool, layer, op, plan, err);
}

static int create_backward(struct layer *layer, struct pool *pool, const struct layer_plan *plan,
                           struct err *err)
{
    dnnl_pooling_desc_t descriptor;
    dnnl_primitive_desc_t description;
    struct op *op = layer_op(&layer->backward);
    int code =
        op_status(dnnl_pooling_backward_desc_init(&descriptor, pool->algorithm, &pool->source, &pool->target,
                                                  pool->strides, pool->window, pool->before, pool->after),
                  "plan a pooling's gradient", err);
    if (!code)
        code = op_describe(&description, plan->engine, &descriptor, NULL, pool->forward, err);
    if (code)
        return code;
    code = op_create(op, description, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_DIFF_DST, &pool->target, layer->diff_target, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_DIFF_SRC, &pool->source, layer->diff_source, err);
    if (!code)
        code = bind_workspace(pool, layer, op, plan, err);
    dnnl_primitive_desc_destroy(description);
    return code;
}

struct mean {
    struct layer *layer;
    struct average average;
    int batch;
};

static void mean_forward(void *context)
{
    const struct mean *mean = context;
    average_forward(&mean->average, mean->layer->source, mean->batch, mean->layer->target);
}

static void mean_backward(void *context)
{
    const struct mean *mean = context;
    average_backward(&mean->average, mean->layer->diff_target, mean->batch, mean->layer->diff_source);
}

/* Means by our own kernels: with large windows oneDNN's take a quarter of a step of `lenet`. */
static int create_mean(struct layer *layer, const struct layer_plan *plan, struct err *err)
{
    const struct model_layer *model = layer->model;
    struct mean *mean = layer->own = calloc(1, sizeof *mean);
    if (!mean)
        return err_set(err, -ENOMEM, "out of memory for a pooling");
    mean->layer = layer;
    mean->batch = plan->batch;
    mean->average = (struct average){.in_px = model->in.side_px,
                                     .out_px = model->out.side_px,
                                     .kernel_px = model->kernel_px,
                                     .stride_px = model->stride_px,
                                     .pad_px = model->pad_before_px,
                                     .channels = model->in.channels};
    size_t work = (size_t)plan->threads * average_work_size(&mean->average);
    mean->average.work = layer_buffer(layer, work * sizeof(float), err);
    layer_call(&layer->forward, mean_forward, mean);
    if (plan->source_gradient)
        layer_call(&layer->backward, mean_backward, mean);
    return mean->average.work ? 0 : -ENOMEM;
}

int layer_create_pool(struct layer *layer, const struct layer_plan *plan, struct err *err)
{
    struct pool pool = {0};
    if (layer->model->type != MODEL_MAXPOOL && layer_kernels_suit() &&
        layer->model->out.side_px <= AVERAGE_OUT_MAX)
        return create_mean(layer, plan, err);
    lay_out(&pool, layer, plan);
    int code = create_forward(layer, &pool, plan, err);
    if (!code && plan->source_gradient)
        code = create_backward(layer, &pool, plan, err);
    dnnl_primitive_desc_destroy(pool.forward);
    return code;
}
