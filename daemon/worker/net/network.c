/* See network.h. Layers share activations: a layer's target is the next one's source, and its diff_target
 * the next one's diff_source. */
#include "daemon/worker/net/network.h"
#include "common/clock.h"
#include "daemon/worker/net/layer.h"

#include <errno.h>
#include <string.h>

static layer_create *const CREATE[MODEL_LAYER_TYPE_MAX] = {
    [MODEL_CONV] = layer_create_conv,       [MODEL_AVGPOOL] = layer_create_pool,
    [MODEL_MAXPOOL] = layer_create_pool,    [MODEL_GLOBALPOOL] = layer_create_pool,
    [MODEL_DENSE] = layer_create_dense,     [MODEL_BATCHNORM] = layer_create_batchnorm,
    [MODEL_DROPOUT] = layer_create_dropout, [MODEL_RELU] = layer_create_eltwise,
    [MODEL_GELU] = layer_create_eltwise,    [MODEL_SILU] = layer_create_eltwise,
    [MODEL_FORK] = layer_create_fork,       [MODEL_ADD] = layer_create_add,
};

struct network {
    const struct model *model;
    struct engine engine;
    int batch, threads, uses;
    float *parameters;
    float **activations; /* layer_count + 1: the input, then each layer's target; a fork's is its source */
    float **diffs;       /* the loss's derivatives by them; NULL where not needed */
    float **fork_diffs;  /* a fork's second: by way of the shortcut */
    struct layer *layers;
    struct network_pass pass;
    double loss_weight;
    network_hook *hook;
    void *hook_context;
    network_ready *ready;
    void *ready_context;
};

static bool is_fork(const struct network *network, int activation)
{
    return activation && network->model->layers[activation - 1].type == MODEL_FORK;
}

static size_t activation_size(const struct network *network, int i)
{
    struct model_shape shape = i ? network->model->layers[i - 1].out : network->model->in;
    return (size_t)network->batch * layer_count(shape) * sizeof(float);
}

static int allocate_activation(struct network *network, int i, struct err *err)
{
    size_t size = activation_size(network, i);
    bool fork = is_fork(network, i);
    int gradients = network->uses & (i ? NETWORK_TRAIN | NETWORK_INPUT_GRADIENT : NETWORK_INPUT_GRADIENT);
    bool backward = gradients != 0;
    network->activations[i] = fork ? network->activations[i - 1] : op_allocate(size, err);
    if (backward)
        network->diffs[i] = op_allocate(size, err);
    if (backward && fork)
        network->fork_diffs[i] = op_allocate(size, err);
    bool all = network->activations[i] && (!backward || network->diffs[i]) &&
               (!backward || !fork || network->fork_diffs[i]);
    return all ? 0 : -ENOMEM;
}

static int allocate(struct network *network, struct err *err)
{
    size_t count = (size_t)network->model->layer_count;
    network->parameters = op_allocate(network->model->parameter_count * sizeof(float), err);
    network->activations = calloc(count + 1, sizeof(float *));
    network->diffs = calloc(count + 1, sizeof(float *));
    network->fork_diffs = calloc(count + 1, sizeof(float *));
    network->layers = calloc(count, sizeof *network->layers);
    if (!network->activations || !network->diffs || !network->fork_diffs || !network->layers)
        return err_set(err, -ENOMEM, "out of memory for the network");
    int code = network->parameters ? 0 : -ENOMEM;
    for (int i = 0; i <= (int)count && !code; i++)
        code = allocate_activation(network, i, err);
    return code;
}

/* Of a fork's two readers the shortcut writes to the second derivative. */
static float *diff_of_source(struct network *network, const struct model_layer *model, int source)
{
    bool shortcut = model->implied || model->type == MODEL_ADD;
    return shortcut && is_fork(network, source) ? network->fork_diffs[source] : network->diffs[source];
}

static void wire(struct network *network, int i)
{
    struct layer *layer = &network->layers[i];
    const struct model_layer *model = layer->model = &network->model->layers[i];
    layer->source = network->activations[model->source];
    layer->target = network->activations[i + 1];
    layer->diff_target = network->diffs[i + 1];
    layer->diff_source = model->type == MODEL_ADD ? network->diffs[model->source]
                                                  : diff_of_source(network, model, model->source);
    if (model->type == MODEL_ADD) {
        layer->shortcut = network->activations[model->shortcut];
        layer->diff_shortcut = diff_of_source(network, model, model->shortcut);
    }
    if (model->type == MODEL_FORK)
        layer->diff_shortcut = network->fork_diffs[i + 1];
}

static int create_layers(struct network *network, struct err *err)
{
    for (int i = 0; i < network->model->layer_count; i++) {
        wire(network, i);
        struct layer *layer = &network->layers[i];
        struct layer_plan plan = {
            .engine = &network->engine,
            .batch = network->batch,
            .threads = network->threads,
            .weight_gradient = network->uses & NETWORK_TRAIN,
            .source_gradient = layer->diff_source != NULL,
            .bf16 = network->uses & NETWORK_BF16,
            .parameters = network->parameters,
            .index = i,
            .pass = &network->pass,
            .loss_weight = &network->loss_weight,
        };
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
    network->pass.rows = batch;
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
        if (network->activations && !is_fork(network, i))
            free(network->activations[i]);
        if (network->diffs)
            free(network->diffs[i]);
        if (network->fork_diffs)
            free(network->fork_diffs[i]);
    }
    engine_destroy(&network->engine);
    free(network->activations);
    free(network->diffs);
    free(network->fork_diffs);
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

void network_begin(struct network *network, const struct network_pass *pass)
{
    network->pass = *pass;
}

void network_track(struct network *network, const float *gradient)
{
    const float share = 0.1f; /* as PyTorch's momentum */
    for (size_t i = 0; i < network->model->trained; i++)
        network->parameters[i] += share * (gradient[i] - network->parameters[i]);
}

struct network_memory network_memory(const struct network *network)
{
    struct network_memory memory = {0};
    for (int i = 0; i <= network->model->layer_count; i++) {
        size_t size = activation_size(network, i);
        memory.activations += is_fork(network, i) ? 0 : size;
        memory.derivatives += (network->diffs[i] ? size : 0) + (network->fork_diffs[i] ? size : 0);
        memory.kernels += i ? network->layers[i - 1].buffer_bytes : 0;
    }
    return memory;
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

bool network_has_bf16(void)
{
    return engine_has_bf16();
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
    network->loss_weight = weight;
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
