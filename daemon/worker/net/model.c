/* See model.h; model_layers.c tells the file. */
#include "daemon/worker/net/model.h"
#include "common/rng.h"
#include "common/str.h"
#include "daemon/worker/net/model_private.h"
#include "proto/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { STREAM_INITIAL_WEIGHTS = 0x77656967 };

const char *const MODEL_KINDS[MODEL_LAYER_TYPE_MAX] = {
    [MODEL_CONV] = "conv",       [MODEL_AVGPOOL] = "avgpool",
    [MODEL_MAXPOOL] = "maxpool", [MODEL_GLOBALPOOL] = "globalpool",
    [MODEL_DENSE] = "dense",     [MODEL_BATCHNORM] = "batchnorm",
    [MODEL_DROPOUT] = "dropout", [MODEL_RELU] = "relu",
    [MODEL_GELU] = "gelu",       [MODEL_SILU] = "silu",
    [MODEL_FORK] = "fork",       [MODEL_ADD] = "add",
};

size_t model_fan_in(const struct model_layer *layer)
{
    size_t window_px = layer->type == MODEL_CONV ? (size_t)layer->kernel_px : (size_t)layer->in.side_px;
    return window_px * window_px * (size_t)layer->in.channels;
}

static int read_input(struct model *model, const json_t *file, int stamp_px, int channels, struct err *err)
{
    const json_t *input = json_object_get(file, "input");
    model->in = (struct model_shape){stamp_px, channels};
    if (!input)
        return stamp_px && channels ? 0 : err_set(err, -EINVAL, "input: {stamp, channels} is missing");
    struct model_shape given;
    int code = model_check_keys(input, "|stamp|channels|", err);
    if (!code)
        code = model_read_int(input, "stamp", 0, 4096, &given.side_px, err);
    if (!code)
        code = model_read_int(input, "channels", 0, 4096, &given.channels, err);
    if (code)
        return err_prefix(err, "input");
    if ((stamp_px && given.side_px != stamp_px) || (channels && given.channels != channels))
        return err_set(err, -EINVAL, "input is %d px x %d channels, but the stamps are %d px x %d channels",
                       given.side_px, given.channels, stamp_px, channels);
    model->in = given;
    return 0;
}

static int fill_model(struct model *model, const json_t *file, int stamp_px, int channels, struct err *err)
{
    if (!json_is_object(file))
        return err_set(err, -EINVAL, "not a model: expected name and layers");
    const char *name = json_string_value(json_object_get(file, "name"));
    const json_t *lines = json_object_get(file, "layers");
    int code = model_check_keys(file, "|name|input|layers|", err);
    if (code)
        return code;
    if (!name || str_has_control(name) || strpbrk(name, "\"\\"))
        return err_set(err, -EINVAL, "name is missing or not plain text");
    code = read_input(model, file, stamp_px, channels, err);
    if (code)
        return code;
    model->name = str_format("%s", name);
    return model_read_layers(model, lines, err);
}

int model_from_json(struct model **out, const json_t *file, int stamp_px, int channels, struct err *err)
{
    struct model *model = calloc(1, sizeof *model);
    if (!model)
        return err_set(err, -ENOMEM, "out of memory");
    int code = fill_model(model, file, stamp_px, channels, err);
    if (code) {
        model_destroy(model);
        return code;
    }
    *out = model;
    return 0;
}

int model_read(struct model **out, const char *path, int stamp_px, int channels, struct err *err)
{
    json_t *file;
    int code = yaml_read_file(path, &file, err);
    if (code)
        return code;
    code = model_from_json(out, file, stamp_px, channels, err);
    json_decref(file);
    return code ? err_prefix(err, "%s", path) : 0;
}

void model_destroy(struct model *model)
{
    if (!model)
        return;
    free(model->name);
    free(model->layers);
    free(model);
}

/* Layers with a weight and a bias. */
static int weighted_count(const struct model *model, enum model_layer_type only)
{
    int count = 0;
    for (int i = 0; i < model->layer_count; i++)
        count += model->layers[i].weight_count > 0 &&
                 (only == MODEL_LAYER_TYPE_MAX || model->layers[i].type == only);
    return count;
}

int model_trained_tensor_count(const struct model *model)
{
    return 2 * weighted_count(model, MODEL_LAYER_TYPE_MAX);
}

int model_tensor_count(const struct model *model)
{
    return model_trained_tensor_count(model) + 2 * weighted_count(model, MODEL_BATCHNORM);
}

static void shape_weight(const struct model_layer *layer, struct model_tensor *tensor)
{
    tensor->offset = layer->weight;
    tensor->count = layer->weight_count;
    if (layer->type == MODEL_BATCHNORM)
        return;
    tensor->dimensions = layer->type == MODEL_CONV ? 4 : 2;
    tensor->shape[1] = layer->type == MODEL_CONV ? layer->in.channels : (long)model_fan_in(layer);
    tensor->shape[2] = tensor->shape[3] = layer->kernel_px;
}

struct model_tensor model_tensor(const struct model *model, int i)
{
    static const char *const NAMES[] = {"weight", "bias", "running_mean", "running_var"};
    int trained = model_trained_tensor_count(model), pairs = (i < trained ? i : i - trained) / 2;
    bool statistic = i >= trained;
    const struct model_layer *layer = model->layers;
    for (; !(statistic ? layer->type == MODEL_BATCHNORM : layer->weight_count > 0) || pairs-- > 0; layer++)
        continue;
    struct model_tensor tensor = {
        .dimensions = 1, .count = layer->bias_count, .shape = {layer->out.channels}};
    snprintf(tensor.name, sizeof tensor.name, "%s.%s", layer->name, NAMES[2 * statistic + i % 2]);
    if (statistic)
        tensor.offset = i % 2 ? layer->variance : layer->mean;
    else if (i % 2)
        tensor.offset = layer->bias;
    else
        shape_weight(layer, &tensor);
    return tensor;
}

static void fill(float *values, size_t count, float value)
{
    for (size_t i = 0; i < count; i++)
        values[i] = value;
}

/* Whether what the layer makes goes into a ReLU or its like, perhaps by way of a batchnorm. */
static bool feeds_relu(const struct model *model, int l)
{
    const struct model_layer *layer = &model->layers[l], *last = &model->layers[model->layer_count - 1];
    while (layer < last && !layer->relu && (layer[1].type == MODEL_BATCHNORM || layer[1].type == MODEL_ADD))
        layer++;
    return layer->relu || (layer < last && layer[1].type >= MODEL_RELU && layer[1].type <= MODEL_SILU);
}

void model_initial_weights(const struct model *model, uint64_t seed, float *parameters)
{
    memset(parameters, 0, model->parameter_count * sizeof *parameters);
    for (int l = 0; l < model->layer_count; l++) {
        const struct model_layer *layer = &model->layers[l];
        if (layer->type == MODEL_BATCHNORM) {
            fill(parameters + layer->weight, layer->weight_count, 1);
            fill(parameters + layer->variance, layer->bias_count, 1);
            continue;
        }
        double in = (double)model_fan_in(layer), out = (double)layer->bias_count;
        if (layer->type == MODEL_CONV)
            out *= (double)layer->kernel_px * layer->kernel_px;
        struct rng rng;
        rng_init(&rng, seed, STREAM_INITIAL_WEIGHTS, (uint64_t)l);
        double deviation = sqrt(2.0 / in), limit = sqrt(6.0 / (in + out));
        bool he = feeds_relu(model, l);
        for (size_t i = 0; i < layer->weight_count; i++)
            parameters[layer->weight + i] =
                (float)(he ? deviation * rng_normal(&rng) : rng_range(&rng, -limit, limit));
    }
}
