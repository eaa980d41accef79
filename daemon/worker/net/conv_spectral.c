/* See conv_spectral.h. Stamps go through in chunks, so that their spectra stay in the cache; the spectra of the
 * input are kept from forward to backward. */
#include "daemon/worker/net/conv_spectral.h"
#include "daemon/worker/net/spectral.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct conv {
    struct layer *layer;
    struct spectral spectral;
    int batch, chunk; /* stamps: all, and at once */
    bool keep_input;  /* its spectrum, of all chunks */
    const float *weights, *bias;
    void *kernel, *kernel_exchanged; /* spectra of the weights */
    void *input, *output;            /* spectra of stamps: all or a chunk; a chunk */
    void *input_gradient;            /* a chunk */
    void *kernel_gradient;           /* float32 */
};

enum { KERNEL_LEAST_PX = 5 };

/* Stamps at once. Each the fastest of 8 and 16: in bfloat16 the other costs 3 to 9 %, in float32 6 %. */
enum { CHUNK_F32 = 16, CHUNK_BF16 = 8 };

bool conv_spectral_suits(const struct model_layer *model)
{
    return layer_kernels_suit() && model->stride_px == 1 && model->kernel_px >= KERNEL_LEAST_PX &&
           model->kernel_px <= SPECTRAL_KERNEL_MAX &&
           spectral_side(model->in.side_px, model->out.side_px, model->kernel_px, model->pad_before_px) > 0;
}

static int chunk_at(const struct conv *conv, int first)
{
    int left = conv->batch - first;
    return left < conv->chunk ? left : conv->chunk;
}

static float *pixels_at(float *images, struct model_shape shape, int first)
{
    return images + (size_t)first * layer_count(shape);
}

static void *input_at(const struct conv *conv, int first)
{
    const struct spectral *s = &conv->spectral;
    return (char *)conv->input +
           (conv->keep_input ? spectral_size(s, first, s->inputs) * spectral_number_size(s) : 0);
}

static void load(void *context)
{
    struct conv *conv = context;
    spectral_kernel(&conv->spectral, conv->weights, false, conv->kernel);
    if (conv->kernel_exchanged)
        spectral_kernel(&conv->spectral, conv->weights, true, conv->kernel_exchanged);
}

static void forward(void *context)
{
    struct conv *conv = context;
    const struct layer *layer = conv->layer;
    const struct model_layer *model = layer->model;
    int inputs = model->in.channels, outputs = model->out.channels;
    for (int first = 0; first < conv->batch; first += conv->chunk) {
        int count = chunk_at(conv, first);
        void *input = input_at(conv, first);
        spectral_transform(&conv->spectral, pixels_at(layer->source, model->in, first), NULL, count,
                           model->in.side_px, inputs, input);
        spectral_multiply(&conv->spectral, input, conv->kernel, false, count, inputs, outputs, conv->output);
        spectral_restore(&conv->spectral, conv->output, count, model->out.side_px, outputs, conv->bias,
                         model->relu, pixels_at(layer->target, model->out, first));
    }
}

static void correlate(struct conv *conv, int first, int count)
{
    float *bias = conv->layer->gradient + conv->layer->model->bias;
    spectral_correlate(&conv->spectral, input_at(conv, first), conv->output, count, first > 0,
                       conv->kernel_gradient);
    if (!first)
        memset(bias, 0, conv->layer->model->bias_count * sizeof *bias);
    spectral_add_bias(&conv->spectral, conv->output, count, bias);
}

static void backward(void *context)
{
    struct conv *conv = context;
    const struct layer *layer = conv->layer;
    const struct model_layer *model = layer->model;
    int inputs = model->in.channels, outputs = model->out.channels;
    for (int first = 0; first < conv->batch; first += conv->chunk) {
        int count = chunk_at(conv, first);
        const float *gate = model->relu ? pixels_at(layer->target, model->out, first) : NULL;
        spectral_transform(&conv->spectral, pixels_at(layer->diff_target, model->out, first), gate, count,
                           model->out.side_px, outputs, conv->output);
        if (conv->kernel_gradient)
            correlate(conv, first, count);
        if (!conv->kernel_exchanged)
            continue;
        spectral_multiply(&conv->spectral, conv->output, conv->kernel_exchanged, true, count, outputs, inputs,
                          conv->input_gradient);
        spectral_restore(&conv->spectral, conv->input_gradient, count, model->in.side_px, inputs, NULL, false,
                         pixels_at(layer->diff_source, model->in, first));
    }
    if (conv->kernel_gradient)
        spectral_restore_kernel(&conv->spectral, conv->kernel_gradient, layer->gradient + model->weight);
}

static int allocate(struct conv *conv, struct layer *layer, const struct layer_plan *plan, struct err *err)
{
    const struct spectral *s = &conv->spectral;
    int chunk = chunk_at(conv, 0);
    size_t size = spectral_number_size(s);
    const struct {
        void **buffer;
        size_t numbers, size;
    } NEEDED[] = {
        {&conv->spectral.work, (size_t)plan->threads * spectral_work_size(s), sizeof(float)},
        {&conv->kernel, spectral_size(s, s->inputs, s->outputs), size},
        {&conv->input, spectral_size(s, conv->keep_input ? plan->batch : chunk, s->inputs), size},
        {&conv->output, spectral_size(s, chunk, s->outputs), size},
        {&conv->kernel_gradient, plan->weight_gradient ? spectral_size(s, s->inputs, s->outputs) : 0,
         sizeof(float)},
        {&conv->kernel_exchanged, plan->source_gradient ? spectral_size(s, s->outputs, s->inputs) : 0, size},
        {&conv->input_gradient, plan->source_gradient ? spectral_size(s, chunk, s->inputs) : 0, size},
    };
    for (size_t i = 0; i < sizeof NEEDED / sizeof *NEEDED; i++) {
        if (NEEDED[i].numbers &&
            !(*NEEDED[i].buffer = layer_buffer(layer, NEEDED[i].numbers * NEEDED[i].size, err)))
            return -ENOMEM;
    }
    return 0;
}

int layer_create_conv_spectral(struct layer *layer, const struct layer_plan *plan, struct err *err)
{
    const struct model_layer *model = layer->model;
    struct conv *conv = layer->own = calloc(1, sizeof *conv);
    if (!conv)
        return err_set(err, -ENOMEM, "out of memory for a convolution");
    conv->layer = layer;
    conv->batch = plan->batch;
    conv->chunk = plan->bf16 ? CHUNK_BF16 : CHUNK_F32;
    conv->keep_input = plan->weight_gradient;
    conv->weights = plan->parameters + model->weight;
    conv->bias = plan->parameters + model->bias;
    conv->spectral = (struct spectral){
        .fourier.length =
            spectral_side(model->in.side_px, model->out.side_px, model->kernel_px, model->pad_before_px),
        .inputs = model->in.channels,
        .outputs = model->out.channels,
        .kernel_px = model->kernel_px,
        .pad_px = model->pad_before_px,
        .bf16 = plan->bf16,
    };
    spectral_init(&conv->spectral);
    layer_call(&layer->load, load, conv);
    layer_call(&layer->forward, forward, conv);
    if (layer_has_backward(plan))
        layer_call(&layer->backward, backward, conv);
    return allocate(conv, layer, plan, err);
}
