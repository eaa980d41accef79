/* Convolution with bias, and ReLU where the model asks for it. Activations are forced to nhwc: left to
 * itself oneDNN 2.6 picks blocked layouts that pad 18, 36 and 54 channels and run at half the speed. */
#include "daemon/worker/net/conv_spectral.h"
#include "daemon/worker/net/weighted.h"

struct conv {
    struct weighted weighted;
    dnnl_dims_t strides, before, after;
};

/* oneDNN's strided 1 x 1 kernels write past their workspace when an nhwc source's channels do not fill their vectors
 * (https://github.com/uxlfoundation/oneDNN/issues/6035; seen with 2.6: a torn heap). */
static bool overruns(const struct model_layer *model)
{
    enum { VECTOR = 16 }; /* AVX-512's; AVX2's is half of it */
    return model->kernel_px == 1 && model->stride_px > 1 && model->in.channels % VECTOR != 0;
}

static void lay_out(struct conv *conv, const struct model_layer *model, const struct layer_plan *plan)
{
    struct weighted *weighted = &conv->weighted;
    dnnl_dims_t sizes = {model->out.channels, model->in.channels, model->kernel_px, model->kernel_px};
    weighted->source = layer_activation(plan, model->in);
    weighted->target = layer_activation(plan, model->out);
    weighted->bias = layer_vector(model->bias_count);
    weighted->avoid = overruns(model) ? "jit_1x1" : NULL;
    dnnl_memory_desc_init_by_tag(&weighted->weights_any, 4, sizes, dnnl_f32, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&weighted->weights_plain, 4, sizes, dnnl_f32, dnnl_oihw);
    for (int i = 0; i < 2; i++) {
        conv->strides[i] = model->stride_px;
        conv->before[i] = model->pad_before_px;
        conv->after[i] = model->pad_after_px;
    }
}

static int create_forward(struct conv *conv, struct layer *layer, const struct layer_plan *plan,
                          struct err *err)
{
    struct weighted *w = &conv->weighted;
    dnnl_convolution_desc_t descriptor;
    dnnl_status_t status = dnnl_convolution_forward_desc_init(
        &descriptor, dnnl_forward_training, dnnl_convolution_direct, &w->source, &w->weights_any, &w->bias,
        &w->target, conv->strides, conv->before, conv->after);
    int code = op_status(status, "plan a convolution", err);
    return code ? code : weighted_forward(w, layer, plan, &descriptor, err);
}

static int create_backward_weights(struct conv *conv, struct layer *layer, const struct layer_plan *plan,
                                   struct err *err)
{
    struct weighted *w = &conv->weighted;
    dnnl_convolution_desc_t descriptor;
    dnnl_status_t status = dnnl_convolution_backward_weights_desc_init(
        &descriptor, dnnl_convolution_direct, &w->source, &w->weights_any, &w->bias, &w->target,
        conv->strides, conv->before, conv->after);
    int code = op_status(status, "plan a convolution's gradient", err);
    return code ? code : weighted_backward_weights(w, layer, plan, &descriptor, err);
}

static int create_backward_source(struct conv *conv, struct layer *layer, const struct layer_plan *plan,
                                  struct err *err)
{
    struct weighted *w = &conv->weighted;
    dnnl_convolution_desc_t descriptor;
    dnnl_status_t status = dnnl_convolution_backward_data_desc_init(&descriptor, dnnl_convolution_direct,
                                                                    &w->source, &w->weights_any, &w->target,
                                                                    conv->strides, conv->before, conv->after);
    int code = op_status(status, "plan a convolution's gradient", err);
    return code ? code : weighted_backward_source(w, layer, plan, &descriptor, err);
}

int layer_create_conv(struct layer *layer, const struct layer_plan *plan, struct err *err)
{
    struct conv conv = {0};
    if (conv_spectral_suits(layer->model))
        return layer_create_conv_spectral(layer, plan, err);
    lay_out(&conv, layer->model, plan);
    int code = create_forward(&conv, layer, plan, err);
    if (!code && plan->weight_gradient)
        code = create_backward_weights(&conv, layer, plan, err);
    if (!code && plan->source_gradient)
        code = create_backward_source(&conv, layer, plan, err);
    weighted_end(&conv.weighted);
    return code;
}
