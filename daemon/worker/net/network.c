/* See network.h. Layers share activations: a layer's target is the next one's source, and its diff_target
 * the next one's diff_source. */
#include "daemon/worker/net/network.h"
#include "common/clock.h"
#include "daemon/worker/net/layer.h"

#include <errno.h>
#include <string.h>

static layer_create *const CREATE[MODEL_LAYER_TYPE_MAX] = {
    [MODEL_CONV] = layer_create_conv,
    [MODEL_AVGPOOL] = layer_create_pool,
    [MODEL_MAXPOOL] = layer_create_pool,
    [MODEL_DENSE] = layer_create_dense,
};

struct network {
    const struct model *model;
    struct engine engine;
    int batch, threads, uses;
    float *parameters;
    float **activations; /* layer_count + 1: the input, then each layer's target */
    float **diffs;       /* the loss's derivatives by them; NULL where not needed */
    struct layer *layers;
    network_hook *hook;
    void *hook_context;
    network_ready *ready;
    void *ready_context;
};

static size_t activation_count(const struct network *network, int i)
{
    struct model_shape shape = i ? network->model->layers[i - 1].out : network->model->in;
    return (size_t)network->batch * (size_t)shape.side_px * (size_t)shape.side_px * (size_t)shape.channels;
}

static int allocate(struct network *network, struct err *err)
{
    int count = network->model->layer_count;
    network->parameters = op_allocate(network->model->parameter_count * sizeof(float), err);
    network->activations = calloc((size_t)count + 1, sizeof(float *));
    network->diffs = calloc((size_t)count + 1, sizeof(float *));
    network->layers = calloc((size_t)count, sizeof *network->layers);
    if (!network->activations || !network->diffs || !network->layers)
        return err_set(err, -ENOMEM, "out of memory for the network");
    for (int i = 0; i <= count; i++) {
        size_t size = activation_count(network, i) * sizeof(float);
        bool backward = i ? network->uses != NETWORK_SCORE : network->uses & NETWORK_INPUT_GRADIENT;
        network->activations[i] = op_allocate(size, err);
        if (backward)
            network->diffs[i] = op_allocate(size, err);
        if (!network->activations[i] || (backward && !network->diffs[i]))
            return -ENOMEM;
    }
    return network->parameters ? 0 : -ENOMEM;
}

static int create_layers(struct network *network, struct err *err)
{
    for (int i = 0; i < network->model->layer_count; i++) {
        struct layer *layer = &network->layers[i];
        struct layer_plan plan = {
            .engine = &network->engine,
            .batch = network->batch,
            .threads = network->threads,
            .weight_gradient = network->uses & NETWORK_TRAIN,
            .source_gradient = network->diffs[i] != NULL,
            .parameters = network->parameters,
        };
        layer->model = &network->model->layers[i];
        layer->source = network->activations[i];
        layer->target = network->activations[i + 1];
        layer->diff_source = network->diffs[i];
        layer->diff_target = network->diffs[i + 1];
        int code = CREATE[layer->model->type](layer, &plan, err);
        if (code)
            return err_prefix(err, "%s", layer->model->name);
    }
    return 0;
}

int network_create(struct network **out, const struct model *model, int batch, int threads, int uses,
                   struct err *err)
{
    struct network *network = calloc(1, sizeof *network);
    if (!network)
        return err_set(err, -ENOMEM, "out of memory for the network");
    network->model = model;
    network->batch = batch;
    network->threads = threads;
    network->uses = uses;
    int code = engine_create(&network->engine, threads, err);
    if (!code)
        code = allocate(network, err);
    if (!code)
        code = create_layers(network, err);
    if (code) {
        network_destroy(network);
        return code;
    }
    *out = network;
    return 0;
}

void network_destroy(struct network *network)
{
    if (!network)
        return;
    for (int i = 0; network->layers && i < network->model->layer_count; i++)
        layer_destroy(&network->layers[i]);
    for (int i = 0; i <= network->model->layer_count; i++) {
        if (network->activations)
            free(network->activations[i]);
        if (network->diffs)
            free(network->diffs[i]);
    }
    engine_destroy(&network->engine);
    free(network->activations);
    free(network->diffs);
    free(network->layers);
    free(network->parameters);
    free(network);
}

float *network_parameters(struct network *network)
{
    return network->parameters;
}

float *network_input(struct network *network)
{
    return network->activations[0];
}

const float *network_logits(const struct network *network)
{
    return network->activations[network->model->layer_count];
}

const float *network_input_gradient(const struct network *network)
{
    return network->diffs[0];
}

void network_set_hook(struct network *network, network_hook *hook, void *context)
{
    network->hook = hook;
    network->hook_context = context;
}

void network_set_ready(struct network *network, network_ready *ready, void *context)
{
    network->ready = ready;
    network->ready_context = context;
}

void network_describe_library(char text[64])
{
    engine_describe(text);
}

static int run_program(struct network *network, int i, const struct program *program, const char *phase,
                       struct err *err)
{
    double start_s = network->hook ? clock_monotonic_s() : 0;
    int code = layer_run(program, &network->engine, err);
    if (network->hook)
        network->hook(network->hook_context, network->model->layers[i].name, phase, start_s,
                      clock_monotonic_s());
    return code;
}

int network_load(struct network *network, struct err *err)
{
    int code = 0;
    for (int i = 0; i < network->model->layer_count && !code; i++)
        code = layer_run(&network->layers[i].load, &network->engine, err);
    return code;
}

int network_forward(struct network *network, struct err *err)
{
    int code = 0;
    for (int i = 0; i < network->model->layer_count && !code; i++)
        code = run_program(network, i, &network->layers[i].forward, "forward", err);
    return code;
}

static void aim_gradient(struct layer *layer, float *gradient)
{
    layer->gradient = gradient;
    if (layer->weight_sink)
        op_rebind(layer->weight_sink, layer->weight_argument, gradient + layer->model->weight);
    if (layer->bias_sink)
        op_rebind(layer->bias_sink, DNNL_ARG_DIFF_BIAS, gradient + layer->model->bias);
}

static void tell_ready(struct network *network, const struct model_layer *layer)
{
    size_t count = layer->weight_count + layer->bias_count;
    if (count)
        network->ready(network->ready_context, layer->weight, count);
}

int network_backward(struct network *network, float *gradient, struct err *err)
{
    int code = 0;
    for (int i = network->model->layer_count - 1; i >= 0 && !code; i--) {
        aim_gradient(&network->layers[i], gradient);
        code = run_program(network, i, &network->layers[i].backward, "backward", err);
        if (!code && network->ready)
            tell_ready(network, &network->model->layers[i]);
    }
    return code;
}

double network_loss(struct network *network, const struct loss *loss, const uint8_t *labels, int count,
                    double weight, int *correct)
{
    return loss_sum(loss, network_logits(network), labels, network->batch, count, weight,
                    network->diffs[network->model->layer_count], correct);
}

void network_scores(struct network *network, double *score)
{
    const float *logits = network_logits(network);
    float *diff = network->diffs[network->model->layer_count];
    for (int n = 0; n < network->batch; n++) {
        score[n] = loss_fake_probability(&logits[2 * n]);
        if (diff) {
            diff[2 * n + 1] = (float)(score[n] * (1 - score[n]));
            diff[2 * n] = -diff[2 * n + 1];
        }
    }
}
