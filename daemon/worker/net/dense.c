/* Fully connected layer with bias, and ReLU where the model asks for it. Its input is the nhwc activation
 * read flat: row, column, channel (model.h). */
#include "daemon/worker/net/weighted.h"

static void lay_out(struct weighted *weighted, struct layer *layer, const struct layer_plan *plan)
{
    const struct model_layer *model = layer->model;
    dnnl_dim_t out = model->out.channels, in = (dnnl_dim_t)(model->weight_count / model->bias_count);
    dnnl_dims_t source = {plan->batch, in}, target = {plan->batch, out}, weights = {out, in};
    dnnl_memory_desc_t from, to;
    dnnl_memory_desc_init_by_tag(&from, 2, source, dnnl_f32, dnnl_nc);
    dnnl_memory_desc_init_by_tag(&to, 2, target, dnnl_f32, dnnl_nc);
    weighted_begin(weighted, layer, &from, &to);
    dnnl_memory_desc_init_by_tag(&weighted->weights_any, 2, weights, dnnl_f32, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&weighted->weights_plain, 2, weights, dnnl_f32, dnnl_oi);
    weighted->bias = layer_vector(model->bias_count);
}

static int create_forward(struct weighted *w, struct layer *layer, const struct layer_plan *plan,
                          struct err *err)
{
    dnnl_inner_product_desc_t descriptor;
    dnnl_status_t status = dnnl_inner_product_forward_desc_init(
        &descriptor, dnnl_forward_training, &w->source.layout, &w->weights_any, &w->bias, &w->target.layout);
    int code = op_status(status, "plan a dense layer", err);
    return code ? code : weighted_forward(w, layer, plan, &descriptor, err);
}

static int create_backward_weights(struct weighted *w, struct layer *layer, const struct layer_plan *plan,
                                   struct err *err)
{
    dnnl_inner_product_desc_t descriptor;
    dnnl_status_t status = dnnl_inner_product_backward_weights_desc_init(
        &descriptor, &w->source.layout, &w->weights_any, &w->bias, &w->diff_target.layout);
    int code = op_status(status, "plan a dense layer's gradient", err);
    return code ? code : weighted_backward_weights(w, layer, plan, &descriptor, err);
}

static int create_backward_source(struct weighted *w, struct layer *layer, const struct layer_plan *plan,
                                  struct err *err)
{
    dnnl_inner_product_desc_t descriptor;
    dnnl_status_t status = dnnl_inner_product_backward_data_desc_init(
        &descriptor, &w->diff_source.layout, &w->weights_any, &w->diff_target.layout);
    int code = op_status(status, "plan a dense layer's gradient", err);
    return code ? code : weighted_backward_source(w, layer, plan, &descriptor, err);
}

int layer_create_dense(struct layer *layer, const struct layer_plan *plan, struct err *err)
{
    struct weighted weighted = {0};
    lay_out(&weighted, layer, plan);
    int code = create_forward(&weighted, layer, plan, err);
    if (!code)
        code = layer_append_relu_backward(layer, plan, err);
    if (!code && plan->weight_gradient)
        code = create_backward_weights(&weighted, layer, plan, err);
    if (!code && plan->source_gradient)
        code = create_backward_source(&weighted, layer, plan, err);
    weighted_end(&weighted);
    return code;
}
