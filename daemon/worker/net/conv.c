/* Convolution with bias, and ReLU where the model asks for it. Activations are forced to nhwc: left to
 * itself oneDNN 2.6 picks blocked layouts that pad 18, 36 and 54 channels and run at half the speed.
 *
 * In bfloat16 the products are of a rounded source, rounded weights and a rounded derivative of the target; sums, and
 * what comes out, are float32. */
#include "daemon/worker/net/bf16.h"
#include "daemon/worker/net/conv_spectral.h"
#include "daemon/worker/net/weighted.h"

#include <errno.h>
#include <stdlib.h>

struct conv {
    struct weighted weighted;
    dnnl_memory_desc_t weights_gradient; /* left to the kernel, float32 */
    dnnl_dims_t strides, before, after;
};

/* What the network holds in float32, rounded for the kernels (bf16_round). */
struct narrow {
    const float *from, *gate;
    uint16_t *to;
    size_t count;
};

struct narrows {
    struct narrow source, diff_target;
};

static void narrow(void *context)
{
    const struct narrow *narrow = context;
    bf16_round(narrow->from, narrow->gate, narrow->count, narrow->to);
}

/* oneDNN's strided 1 x 1 kernels write past their workspace when an nhwc source's channels do not fill their vectors
 * (https://github.com/uxlfoundation/oneDNN/issues/6035; seen with 2.6: a torn heap). */
static bool overruns(const struct model_layer *model)
{
    enum { VECTOR = 16 }; /* AVX-512's; AVX2's is half of it */
    return model->kernel_px == 1 && model->stride_px > 1 && model->in.channels % VECTOR != 0;
}

static void lay_out(struct conv *conv, struct layer *layer, const struct layer_plan *plan)
{
    struct weighted *weighted = &conv->weighted;
    const struct model_layer *model = layer->model;
    dnnl_memory_desc_t source = layer_activation(plan, model->in),
                       target = layer_activation(plan, model->out);
    dnnl_dims_t sizes = {model->out.channels, model->in.channels, model->kernel_px, model->kernel_px};
    weighted_begin(weighted, layer, &source, &target);
    weighted->bias = layer_vector(model->bias_count);
    weighted->avoid = !overruns(model) ? NULL : plan->bf16 ? "jit_bf16_1x1" : "jit_1x1";
    dnnl_memory_desc_init_by_tag(&weighted->weights_any, 4, sizes, plan->bf16 ? dnnl_bf16 : dnnl_f32,
                                 dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&conv->weights_gradient, 4, sizes, dnnl_f32, dnnl_format_tag_any);
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
        &descriptor, dnnl_forward_training, dnnl_convolution_direct, &w->source.layout, &w->weights_any,
        &w->bias, &w->target.layout, conv->strides, conv->before, conv->after);
    int code = op_status(status, "plan a convolution", err);
    return code ? code : weighted_forward(w, layer, plan, &descriptor, err);
}

static int create_backward_weights(struct conv *conv, struct layer *layer, const struct layer_plan *plan,
                                   struct err *err)
{
    struct weighted *w = &conv->weighted;
    dnnl_convolution_desc_t descriptor;
    dnnl_status_t status = dnnl_convolution_backward_weights_desc_init(
        &descriptor, dnnl_convolution_direct, &w->source.layout, &conv->weights_gradient, &w->bias,
        &w->diff_target.layout, conv->strides, conv->before, conv->after);
    int code = op_status(status, "plan a convolution's gradient", err);
    return code ? code : weighted_backward_weights(w, layer, plan, &descriptor, err);
}

static int create_backward_source(struct conv *conv, struct layer *layer, const struct layer_plan *plan,
                                  struct err *err)
{
    struct weighted *w = &conv->weighted;
    dnnl_convolution_desc_t descriptor;
    dnnl_status_t status = dnnl_convolution_backward_data_desc_init(
        &descriptor, dnnl_convolution_direct, &w->diff_source.layout, &w->weights_any, &w->diff_target.layout,
        conv->strides, conv->before, conv->after);
    int code = op_status(status, "plan a convolution's gradient", err);
    return code ? code : weighted_backward_source(w, layer, plan, &descriptor, err);
}

/* The kernels then read `tensor` from a bfloat16 copy, made by the program's next op. */
static int append_narrow(struct narrow *made, struct program *program, struct layer *layer,
                         const struct layer_plan *plan, struct model_shape shape, struct tensor *tensor,
                         struct err *err)
{
    made->from = tensor->data;
    made->count = (size_t)plan->batch * layer_count(shape);
    made->to = layer_buffer(layer, made->count * sizeof *made->to, err);
    if (!made->to)
        return -ENOMEM;
    layer_call(program, narrow, made);
    *tensor = (struct tensor){layer_activation(plan, shape), made->to};
    tensor->layout.data_type = dnnl_bf16;
    return 0;
}

static int narrow_source(struct conv *conv, struct layer *layer, const struct layer_plan *plan,
                         struct err *err)
{
    struct narrows *narrows = layer->own = plan->bf16 ? calloc(1, sizeof *narrows) : NULL;
    if (!plan->bf16)
        return 0;
    if (!narrows)
        return err_set(err, -ENOMEM, "out of memory for a convolution");
    return append_narrow(&narrows->source, &layer->forward, layer, plan, layer->model->in,
                         &conv->weighted.source, err);
}

/* What backward begins with: the ReLU's part of it, and the rounding. */
static int begin_backward(struct conv *conv, struct layer *layer, const struct layer_plan *plan,
                          struct err *err)
{
    struct narrows *narrows = layer->own;
    if (!plan->bf16)
        return layer_append_relu_backward(layer, plan, err);
    if (!layer_has_backward(plan))
        return 0;
    narrows->diff_target.gate = layer->model->relu ? layer->target : NULL;
    return append_narrow(&narrows->diff_target, &layer->backward, layer, plan, layer->model->out,
                         &conv->weighted.diff_target, err);
}

int layer_create_conv(struct layer *layer, const struct layer_plan *plan, struct err *err)
{
    struct conv conv = {0};
    if (conv_spectral_suits(layer->model))
        return layer_create_conv_spectral(layer, plan, err);
    lay_out(&conv, layer, plan);
    int code = narrow_source(&conv, layer, plan, err);
    if (!code)
        code = create_forward(&conv, layer, plan, err);
    if (!code)
        code = begin_backward(&conv, layer, plan, err);
    if (!code && plan->weight_gradient)
        code = create_backward_weights(&conv, layer, plan, err);
    if (!code && plan->source_gradient)
        code = create_backward_source(&conv, layer, plan, err);
    weighted_end(&conv.weighted);
    return code;
}
