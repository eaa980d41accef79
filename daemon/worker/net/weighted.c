/* See weighted.h. */
#include "daemon/worker/net/weighted.h"

static int plan_forward(struct weighted *weighted, const struct layer *layer, const struct layer_plan *plan,
                        const void *descriptor, struct err *err)
{
    dnnl_primitive_attr_t attributes = NULL;
    int code = layer->model->relu ? layer_fuse_relu(&attributes, err) : 0;
    if (!code)
        code = op_describe(&weighted->forward, plan->engine, descriptor, attributes, NULL, err);
    if (attributes)
        dnnl_primitive_attr_destroy(attributes);
    return code;
}

int weighted_forward(struct weighted *weighted, struct layer *layer, const struct layer_plan *plan,
                     const void *descriptor, struct err *err)
{
    int code = plan_forward(weighted, layer, plan, descriptor, err);
    if (code)
        return code;
    struct op *op = layer_op(&layer->forward);
    const dnnl_memory_desc_t *wanted = op_layout(weighted->forward, dnnl_query_weights_md);
    void *weights;
    code = op_create(op, weighted->forward, err);
    if (!code)
        code = layer_load_weights(layer, plan, &weighted->weights_plain, wanted, &weights, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_SRC, &weighted->source, layer->source, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_WEIGHTS, wanted, weights, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_BIAS, &weighted->bias,
                       plan->parameters + layer->model->bias, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_DST, &weighted->target, layer->target, err);
    if (!code && layer->model->relu && (plan->weight_gradient || plan->source_gradient))
        code = layer_append_relu_backward(layer, plan, err);
    return code;
}

int weighted_backward_weights(struct weighted *weighted, struct layer *layer, const struct layer_plan *plan,
                              const void *descriptor, struct err *err)
{
    dnnl_primitive_desc_t description;
    int code =
        weighted->avoid
            ? op_describe_but(&description, plan->engine, descriptor, weighted->forward, weighted->avoid, err)
            : op_describe(&description, plan->engine, descriptor, NULL, weighted->forward, err);
    if (code)
        return code;
    struct op *op = layer_op(&layer->backward);
    code = op_create(op, description, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_SRC, &weighted->source, layer->source, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_DIFF_DST, &weighted->target, layer->diff_target, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_DIFF_BIAS, &weighted->bias, NULL, err);
    if (!code)
        code = layer_sink_weights(layer, plan, op, &weighted->weights_plain,
                                  op_layout(description, dnnl_query_diff_weights_md), err);
    layer->bias_sink = op;
    dnnl_primitive_desc_destroy(description);
    return code;
}

int weighted_backward_source(struct weighted *weighted, struct layer *layer, const struct layer_plan *plan,
                             const void *descriptor, struct err *err)
{
    dnnl_primitive_desc_t description;
    int code = op_describe(&description, plan->engine, descriptor, NULL, weighted->forward, err);
    if (code)
        return code;
    struct op *op = layer_op(&layer->backward);
    const dnnl_memory_desc_t *wanted = op_layout(description, dnnl_query_weights_md);
    void *weights;
    code = op_create(op, description, err);
    if (!code)
        code = layer_load_weights(layer, plan, &weighted->weights_plain, wanted, &weights, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_WEIGHTS, wanted, weights, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_DIFF_DST, &weighted->target, layer->diff_target, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_DIFF_SRC, &weighted->source, layer->diff_source, err);
    dnnl_primitive_desc_destroy(description);
    return code;
}

void weighted_end(struct weighted *weighted)
{
    if (weighted->forward)
        dnnl_primitive_desc_destroy(weighted->forward);
}
