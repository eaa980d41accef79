/* See model.h. The file:
 *
 *   name: lenet-2x2
 *   input: {stamp: 64, channels: 6}      optional in a user's file, always in model.yaml
 *   layers:
 *     - {kind: conv, features: 18, kernel: 7, stride: 1, padding: same, relu: true}
 *     - {kind: avgpool, kernel: 2, stride: 2}         or maxpool; stride defaults to the kernel
 *     - {kind: dense, features: 64, relu: true}
 *
 * Unknown keys are refused by name: a misspelt one would change the network unseen. */
#include "daemon/worker/net/model.h"
#include "common/file.h"
#include "common/rng.h"
#include "common/str.h"
#include "proto/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { STREAM_INITIAL_WEIGHTS = 0x77656967 };
enum { LAYERS_MAX = 256, FEATURES_MAX = 1 << 16, KERNEL_MAX = 1024 };
#define PARAMETERS_MAX ((size_t)1 << 31)

static const struct {
    const char *name;
    const char *keys; /* "|key|key|": what may stand in its line */
} TYPES[MODEL_LAYER_TYPE_MAX] = {
    [MODEL_CONV] = {"conv", "|kind|features|kernel|stride|padding|relu|"},
    [MODEL_AVGPOOL] = {"avgpool", "|kind|kernel|stride|padding|"},
    [MODEL_MAXPOOL] = {"maxpool", "|kind|kernel|stride|padding|"},
    [MODEL_DENSE] = {"dense", "|kind|features|relu|"},
};

static int find_type(const json_t *line, enum model_layer_type *type, struct err *err)
{
    const char *kind = json_string_value(json_object_get(line, "kind"));
    for (int i = 0; kind && i < MODEL_LAYER_TYPE_MAX; i++) {
        if (strcmp(kind, TYPES[i].name) == 0) {
            *type = (enum model_layer_type)i;
            return 0;
        }
    }
    return err_set(err, -EINVAL, "kind is %.40s, not one of conv, avgpool, maxpool, dense",
                   kind ? kind : "missing");
}

static int check_keys(const json_t *object, const char *keys, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        CLEANUP(free_ptr) char *word = str_format("|%s|", key);
        if (!strstr(keys, word))
            return err_set(err, -EINVAL, "%.40s is not a key here (%.*s)", key, (int)strlen(keys) - 2,
                           keys + 1);
    }
    return 0;
}

/* A whole number of 1 .. most; preset 0: it must be there. */
static int read_int(const json_t *line, const char *key, int preset, int most, int *value, struct err *err)
{
    const json_t *given = json_object_get(line, key);
    json_int_t number = given ? json_integer_value(given) : preset;
    if (!given && !preset)
        return err_set(err, -EINVAL, "%s is missing", key);
    if ((given && !json_is_integer(given)) || number < 1 || number > most)
        return err_set(err, -EINVAL, "%s must be a whole number of 1 to %d", key, most);
    *value = (int)number;
    return 0;
}

static int read_bool(const json_t *line, const char *key, bool *value, struct err *err)
{
    const json_t *given = json_object_get(line, key);
    if (given && !json_is_boolean(given))
        return err_set(err, -EINVAL, "%s must be true or false", key);
    *value = json_is_true(given);
    return 0;
}

static int read_padding(const json_t *line, bool *valid, struct err *err)
{
    const json_t *given = json_object_get(line, "padding");
    const char *text = given ? json_string_value(given) : "same";
    if (!text || (strcmp(text, "same") != 0 && strcmp(text, "valid") != 0))
        return err_set(err, -EINVAL, "padding must be same or valid");
    *valid = strcmp(text, "valid") == 0;
    return 0;
}

/* Output side and padding of a window that slides over in.side_px. */
static int slide_window(struct model_layer *layer, struct err *err)
{
    int in_px = layer->in.side_px, kernel_px = layer->kernel_px, stride_px = layer->stride_px;
    if (layer->valid) {
        if (kernel_px > in_px)
            return err_set(err, -EINVAL, "a window of %d px does not fit in %d px (padding: valid)",
                           kernel_px, in_px);
        layer->out.side_px = (in_px - kernel_px) / stride_px + 1;
        return 0;
    }
    layer->out.side_px = (in_px + stride_px - 1) / stride_px;
    int total_px = (layer->out.side_px - 1) * stride_px + kernel_px - in_px;
    layer->pad_before_px = total_px > 0 ? total_px / 2 : 0;
    layer->pad_after_px = total_px > 0 ? total_px - total_px / 2 : 0;
    return 0;
}

static int read_window(struct model_layer *layer, const json_t *line, struct err *err)
{
    int code = read_int(line, "kernel", 0, KERNEL_MAX, &layer->kernel_px, err);
    if (!code)
        code = read_int(line, "stride", layer->type == MODEL_CONV ? 1 : layer->kernel_px, KERNEL_MAX,
                        &layer->stride_px, err);
    if (!code)
        code = read_padding(line, &layer->valid, err);
    return code ? code : slide_window(layer, err);
}

static int read_layer(struct model_layer *layer, const json_t *line, struct err *err)
{
    if (!json_is_object(line))
        return err_set(err, -EINVAL, "a layer is written {kind: ..., ...}");
    int code = find_type(line, &layer->type, err);
    if (!code)
        code = check_keys(line, TYPES[layer->type].keys, err);
    if (code)
        return code;
    bool weighted = layer->type == MODEL_CONV || layer->type == MODEL_DENSE;
    layer->out = (struct model_shape){1, layer->in.channels};
    if (weighted)
        code = read_int(line, "features", 0, FEATURES_MAX, &layer->out.channels, err);
    if (!code && weighted)
        code = read_bool(line, "relu", &layer->relu, err);
    if (!code && layer->type != MODEL_DENSE)
        code = read_window(layer, line, err);
    return code;
}

static size_t fan_in(const struct model_layer *layer)
{
    size_t window_px = layer->type == MODEL_CONV ? (size_t)layer->kernel_px : (size_t)layer->in.side_px;
    return window_px * window_px * (size_t)layer->in.channels;
}

static int place_parameters(struct model *model, struct model_layer *layer, struct err *err)
{
    if (layer->type != MODEL_CONV && layer->type != MODEL_DENSE)
        return 0;
    layer->bias_count = (size_t)layer->out.channels;
    layer->weight_count = layer->bias_count * fan_in(layer);
    layer->weight = model->parameter_count;
    layer->bias = layer->weight + layer->weight_count;
    model->parameter_count = layer->bias + layer->bias_count;
    if (model->parameter_count > PARAMETERS_MAX)
        return err_set(err, -EINVAL, "more than %zu parameters", PARAMETERS_MAX);
    return 0;
}

static int read_layers(struct model *model, const json_t *lines, struct err *err)
{
    int counts[MODEL_LAYER_TYPE_MAX] = {0};
    bool flat = false;
    for (int i = 0; i < model->layer_count; i++) {
        struct model_layer *layer = &model->layers[i];
        layer->in = i ? model->layers[i - 1].out : model->in;
        int code = read_layer(layer, json_array_get(lines, (size_t)i), err);
        if (!code && flat && layer->type != MODEL_DENSE)
            code = err_set(err, -EINVAL, "%s cannot follow a dense layer", TYPES[layer->type].name);
        if (!code)
            code = place_parameters(model, layer, err);
        if (code)
            return err_prefix(err, "layer %d", i + 1);
        flat |= layer->type == MODEL_DENSE;
        snprintf(layer->name, sizeof layer->name, "%s%d", TYPES[layer->type].name, ++counts[layer->type]);
    }
    const struct model_layer *last = &model->layers[model->layer_count - 1];
    if (last->type != MODEL_DENSE || last->out.channels != 2 || last->relu)
        return err_set(err, -EINVAL,
                       "the last layer must be {kind: dense, features: 2}: real and fake, without relu");
    return 0;
}

static int read_input(struct model *model, const json_t *file, int stamp_px, int channels, struct err *err)
{
    const json_t *input = json_object_get(file, "input");
    model->in = (struct model_shape){stamp_px, channels};
    if (!input)
        return stamp_px && channels ? 0 : err_set(err, -EINVAL, "input: {stamp, channels} is missing");
    struct model_shape given;
    int code = check_keys(input, "|stamp|channels|", err);
    if (!code)
        code = read_int(input, "stamp", 0, 4096, &given.side_px, err);
    if (!code)
        code = read_int(input, "channels", 0, 4096, &given.channels, err);
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
    int code = check_keys(file, "|name|input|layers|", err);
    if (code)
        return code;
    if (!name || str_has_control(name) || strpbrk(name, "\"\\"))
        return err_set(err, -EINVAL, "name is missing or not plain text");
    if (!json_is_array(lines) || json_array_size(lines) < 1 || json_array_size(lines) > LAYERS_MAX)
        return err_set(err, -EINVAL, "layers must be a list of 1 to %d layers", LAYERS_MAX);
    code = read_input(model, file, stamp_px, channels, err);
    if (code)
        return code;
    model->name = str_format("%s", name);
    model->layer_count = (int)json_array_size(lines);
    model->layers = calloc((size_t)model->layer_count, sizeof *model->layers);
    return model->layers ? read_layers(model, lines, err) : err_set(err, -ENOMEM, "out of memory");
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

static void write_layer(FILE *text, const struct model_layer *layer)
{
    const char *padding = layer->valid ? "valid" : "same", *relu = layer->relu ? ", relu: true" : "";
    fprintf(text, "  - {kind: %s", TYPES[layer->type].name);
    if (layer->type == MODEL_CONV || layer->type == MODEL_DENSE)
        fprintf(text, ", features: %d", layer->out.channels);
    if (layer->type != MODEL_DENSE)
        fprintf(text, ", kernel: %d, stride: %d, padding: %s", layer->kernel_px, layer->stride_px, padding);
    fprintf(text, "%s}\n", relu);
}

char *model_text(const struct model *model)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *text = open_memstream(&bytes, &size);
    if (!text)
        abort();
    fprintf(text, "name: \"%s\"\ninput: {stamp: %d, channels: %d}\nlayers:\n", model->name, model->in.side_px,
            model->in.channels);
    for (int i = 0; i < model->layer_count; i++)
        write_layer(text, &model->layers[i]);
    if (fclose(text) != 0)
        abort();
    return bytes;
}

int model_publish(const struct model *model, const char *path, struct err *err)
{
    CLEANUP(free_ptr) char *text = model_text(model);
    return file_publish(path, text, strlen(text), err);
}

int model_tensor_count(const struct model *model)
{
    int count = 0;
    for (int i = 0; i < model->layer_count; i++)
        count += model->layers[i].weight_count ? 2 : 0;
    return count;
}

struct model_tensor model_tensor(const struct model *model, int i)
{
    const struct model_layer *layer = model->layers;
    struct model_tensor tensor = {.dimensions = 1};
    for (int pairs = i / 2; !layer->weight_count || pairs-- > 0; layer++)
        continue;
    snprintf(tensor.name, sizeof tensor.name, "%s.%s", layer->name, i % 2 ? "bias" : "weight");
    tensor.offset = i % 2 ? layer->bias : layer->weight;
    tensor.count = i % 2 ? layer->bias_count : layer->weight_count;
    tensor.shape[0] = layer->out.channels;
    if (i % 2)
        return tensor;
    tensor.dimensions = layer->type == MODEL_CONV ? 4 : 2;
    tensor.shape[1] = layer->type == MODEL_CONV ? layer->in.channels : (long)fan_in(layer);
    tensor.shape[2] = tensor.shape[3] = layer->kernel_px;
    return tensor;
}

void model_initial_weights(const struct model *model, uint64_t seed, float *parameters)
{
    memset(parameters, 0, model->parameter_count * sizeof *parameters);
    for (int l = 0; l < model->layer_count; l++) {
        const struct model_layer *layer = &model->layers[l];
        double in = (double)fan_in(layer), out = (double)layer->bias_count;
        if (layer->type == MODEL_CONV)
            out *= (double)layer->kernel_px * layer->kernel_px;
        struct rng rng;
        rng_init(&rng, seed, STREAM_INITIAL_WEIGHTS, (uint64_t)l);
        double deviation = sqrt(2.0 / in), limit = sqrt(6.0 / (in + out));
        for (size_t i = 0; i < layer->weight_count; i++)
            parameters[layer->weight + i] =
                (float)(layer->relu ? deviation * rng_normal(&rng) : rng_range(&rng, -limit, limit));
    }
}
