/* See weighted.h. */
#include "daemon/worker/net/weighted.h"

void weighted_begin(struct weighted *weighted, struct layer *layer, const dnnl_memory_desc_t *source,
                    const dnnl_memory_desc_t *target)
{
    weighted->source = (struct tensor){*source, layer->source};
    weighted->target = (struct tensor){*target, layer->target};
    weighted->diff_source = (struct tensor){*source, layer->diff_source};
    weighted->diff_target = (struct tensor){*target, layer->diff_target};
}

static int bind(struct op *op, const struct layer_plan *plan, int argument, const struct tensor *tensor,
                struct err *err)
{
    return op_bind(op, plan->engine, argument, &tensor->layout, tensor->data, err);
}

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
        code = bind(op, plan, DNNL_ARG_SRC, &weighted->source, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_WEIGHTS, wanted, weights, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_BIAS, &weighted->bias,
                       plan->parameters + layer->model->bias, err);
    if (!code)
        code = bind(op, plan, DNNL_ARG_DST, &weighted->target, err);
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
        code = bind(op, plan, DNNL_ARG_SRC, &weighted->source, err);
    if (!code)
        code = bind(op, plan, DNNL_ARG_DIFF_DST, &weighted->diff_target, err);
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
        code = bind(op, plan, DNNL_ARG_DIFF_DST, &weighted->diff_target, err);
    if (!code)
        code = bind(op, plan, DNNL_ARG_DIFF_SRC, &weighted->diff_source, err);
    dnnl_primitive_desc_destroy(description);
    return code;
}

void weighted_end(struct weighted *weighted)
{
    if (weighted->forward)
        dnnl_primitive_desc_destroy(weighted->forward);
}
