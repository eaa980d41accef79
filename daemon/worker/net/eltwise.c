/* ReLU, GELU and SiLU as layers of their own. */
#include "daemon/worker/net/layer.h"

#include <errno.h>

static dnnl_alg_kind_t algorithm_of(enum model_layer_type type)
{
    return type == MODEL_GELU   ? dnnl_eltwise_gelu_erf
           : type == MODEL_SILU ? dnnl_eltwise_swish
                                : dnnl_eltwise_relu;
}

static float alpha_of(enum model_layer_type type) /* x / (1 + exp(-alpha x)); a ReLU's slope below 0 */
{
    return type == MODEL_SILU ? 1 : 0;
}

static int bind_backward(struct layer *layer, const struct layer_plan *plan, struct op *op,
                         const dnnl_memory_desc_t *layout, struct err *err)
{
    int code = op_bind(op, plan->engine, DNNL_ARG_SRC, layout, layer->source, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_DIFF_DST, layout, layer->diff_target, err);
    return code ? code : op_bind(op, plan->engine, DNNL_ARG_DIFF_SRC, layout, layer->diff_source, err);
}

static int create_backward(struct layer *layer, const struct layer_plan *plan,
                           const dnnl_memory_desc_t *layout, const_dnnl_primitive_desc_t hint,
                           struct err *err)
{
    enum model_layer_type type = layer->model->type;
    dnnl_eltwise_desc_t descriptor;
    dnnl_primitive_desc_t description = NULL;
    int code = op_status(
        dnnl_eltwise_backward_desc_init(&descriptor, algorithm_of(type), layout, layout, alpha_of(type), 0),
        "plan an activation's gradient", err);
    if (!code)
        code = op_describe(&description, plan->engine, &descriptor, NULL, hint, err);
    if (code)
        return code;
    struct op *op = layer_op(&layer->backward);
    code = op_create(op, description, err);
    if (!code)
        code = bind_backward(layer, plan, op, layout, err);
    dnnl_primitive_desc_destroy(description);
    return code;
}

int layer_create_eltwise(struct layer *layer, const struct layer_plan *plan, struct err *err)
{
    enum model_layer_type type = layer->model->type;
    dnnl_memory_desc_t layout = layer_activation(plan, layer->model->out);
    dnnl_eltwise_desc_t descriptor;
    dnnl_primitive_desc_t description = NULL;
    int code = op_status(dnnl_eltwise_forward_desc_init(&descriptor, dnnl_forward_training,
                                                        algorithm_of(type), &layout, alpha_of(type), 0),
                         "plan an activation", err);
    if (!code)
        code = op_describe(&description, plan->engine, &descriptor, NULL, NULL, err);
    if (code)
        return code;
    struct op *op = layer_op(&layer->forward);
    code = op_create(op, description, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_SRC, &layout, layer->source, err);
    if (!code)
        code = op_bind(op, plan->engine, DNNL_ARG_DST, &layout, layer->target, err);
    if (!code && plan->source_gradient)
        code = create_backward(layer, plan, &layout, description, err);
    dnnl_primitive_desc_destroy(description);
    return code;
}
