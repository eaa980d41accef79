/* A model file's layers, one after another, and every shape from the one before. A residual block's lie flat
 * among the others (model.h). The file:
 *
 *   name: lenet-2x2
 *   input: {stamp: 64, channels: 6}      optional in a user's file, always in model.yaml
 *   layers:
 *     - {kind: conv, features: 18, kernel: 7, stride: 1, padding: same, relu: true}
 *     - {kind: avgpool, kernel: 2, stride: 2}         or maxpool; stride defaults to the kernel
 *     - {kind: batchnorm, relu: true}
 *     - {kind: gelu}                                  or relu, silu
 *     - {kind: residual, relu: true, layers: [ ... ]} what they make, plus what they read
 *     - {kind: globalpool}
 *     - {kind: dropout, rate: 0.5}
 *     - {kind: dense, features: 64, relu: true}
 *
 * Unknown keys are refused by name: a misspelt one would change the network unseen. */
#include "common/str.h"
#include "daemon/worker/net/model_private.h"

#include <errno.h>
#include <string.h>

enum { LAYERS_MAX = 512, FEATURES_MAX = 1 << 16, KERNEL_MAX = 1024 };
#define PARAMETERS_MAX ((size_t)1 << 31)

static const char RESIDUAL_KEYS[] = "|kind|layers|relu|";

static const char *const KEYS[MODEL_LAYER_TYPE_MAX] = {
    /* "|key|key|": what may stand in its line; NULL: not a kind of the file */
    [MODEL_CONV] = "|kind|features|kernel|stride|padding|relu|",
    [MODEL_AVGPOOL] = "|kind|kernel|stride|padding|",
    [MODEL_MAXPOOL] = "|kind|kernel|stride|padding|",
    [MODEL_GLOBALPOOL] = "|kind|",
    [MODEL_DENSE] = "|kind|features|relu|",
    [MODEL_BATCHNORM] = "|kind|relu|",
    [MODEL_DROPOUT] = "|kind|rate|",
    [MODEL_RELU] = "|kind|",
    [MODEL_GELU] = "|kind|",
    [MODEL_SILU] = "|kind|",
};

struct reader {
    struct model *model;
    int counts[MODEL_LAYER_TYPE_MAX]; /* for names */
    bool flat;                        /* a dense layer was read */
    bool inside;                      /* a residual block */
};

static int find_type(const json_t *line, enum model_layer_type *type, struct err *err)
{
    const char *kind = json_string_value(json_object_get(line, "kind"));
    for (int i = 0; kind && i < MODEL_LAYER_TYPE_MAX; i++) {
        if (KEYS[i] && strcmp(kind, MODEL_KINDS[i]) == 0) {
            *type = (enum model_layer_type)i;
            return 0;
        }
    }
    return err_set(err, -EINVAL,
                   "kind is %.40s, not one of conv, avgpool, maxpool, globalpool, dense, batchnorm, dropout, "
                   "relu, gelu, silu, residual",
                   kind ? kind : "missing");
}

int model_check_keys(const json_t *object, const char *keys, struct err *err)
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

int model_read_int(const json_t *line, const char *key, int preset, int most, int *value, struct err *err)
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

/* A number in (0, 1). */
static int read_rate(const json_t *line, double *value, struct err *err)
{
    const json_t *given = json_object_get(line, "rate");
    *value = json_number_value(given);
    return *value > 0 && *value < 1 ? 0 : err_set(err, -EINVAL, "rate must be a number between 0 and 1");
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
    int code = model_read_int(line, "kernel", 0, KERNEL_MAX, &layer->kernel_px, err);
    if (!code)
        code = model_read_int(line, "stride", layer->type == MODEL_CONV ? 1 : layer->kernel_px, KERNEL_MAX,
                              &layer->stride_px, err);
    if (!code)
        code = read_padding(line, &layer->valid, err);
    return code ? code : slide_window(layer, err);
}

/* The whole image as one window. */
static void cover(struct model_layer *layer)
{
    layer->kernel_px = layer->stride_px = layer->in.side_px;
    layer->valid = true;
    layer->out.side_px = 1;
}

/* What a kind takes from its line; out is what it reads, unless it says otherwise. */
static int read_keys(struct model_layer *layer, const json_t *line, struct err *err)
{
    int code = 0;
    bool relu = layer->type == MODEL_CONV || layer->type == MODEL_DENSE || layer->type == MODEL_BATCHNORM;
    layer->out = layer->in;
    if (layer->type == MODEL_GLOBALPOOL)
        cover(layer);
    if (layer->type == MODEL_DENSE)
        layer->out.side_px = 1;
    if (layer->type == MODEL_CONV || layer->type == MODEL_DENSE)
        code = model_read_int(line, "features", 0, FEATURES_MAX, &layer->out.channels, err);
    if (!code && relu)
        code = read_bool(line, "relu", &layer->relu, err);
    if (!code && layer->type == MODEL_DROPOUT)
        code = read_rate(line, &layer->rate, err);
    if (!code && (layer->type == MODEL_CONV || layer->type == MODEL_AVGPOOL || layer->type == MODEL_MAXPOOL))
        code = read_window(layer, line, err);
    return code;
}

static size_t weight_count(const struct model_layer *layer)
{
    return layer->type == MODEL_BATCHNORM ? (size_t)layer->out.channels
                                          : (size_t)layer->out.channels * model_fan_in(layer);
}

static int place_parameters(struct model *model, struct model_layer *layer, struct err *err)
{
    if (layer->type != MODEL_CONV && layer->type != MODEL_DENSE && layer->type != MODEL_BATCHNORM)
        return 0;
    layer->bias_count = (size_t)layer->out.channels;
    layer->weight_count = weight_count(layer);
    layer->weight = model->parameter_count;
    layer->bias = layer->weight + layer->weight_count;
    model->parameter_count = layer->bias + layer->bias_count;
    if (model->parameter_count > PARAMETERS_MAX)
        return err_set(err, -EINVAL, "more than %zu parameters", PARAMETERS_MAX);
    return 0;
}

/* The next layer, reading what the last one made. */
static struct model_layer *append(struct model *model, enum model_layer_type type, struct err *err)
{
    struct model_layer *layer = &model->layers[model->layer_count];
    if (model->layer_count == LAYERS_MAX) {
        err_set(err, -EINVAL, "more than %d layers, those of residual blocks counted", LAYERS_MAX);
        return NULL;
    }
    layer->type = type;
    layer->source = model->layer_count;
    layer->in = layer->out = model->layer_count++ ? layer[-1].out : model->in;
    return layer;
}

static int read_layer(struct reader *reader, const json_t *line, struct err *err)
{
    enum model_layer_type type = MODEL_LAYER_TYPE_MAX;
    int code = find_type(line, &type, err);
    if (!code)
        code = model_check_keys(line, KEYS[type], err);
    if (!code && reader->inside && type == MODEL_DENSE)
        code = err_set(err, -EINVAL, "a dense layer cannot stand in a residual block");
    bool windowed =
        type == MODEL_CONV || type == MODEL_AVGPOOL || type == MODEL_MAXPOOL || type == MODEL_GLOBALPOOL;
    if (!code && reader->flat && windowed)
        code = err_set(err, -EINVAL, "%s cannot follow a dense layer", MODEL_KINDS[type]);
    if (code)
        return code;
    struct model_layer *layer = append(reader->model, type, err);
    code = layer ? read_keys(layer, line, err) : -EINVAL;
    if (code)
        return code;
    reader->flat |= type == MODEL_DENSE;
    snprintf(layer->name, sizeof layer->name, "%s%d", MODEL_KINDS[type], ++reader->counts[type]);
    return place_parameters(reader->model, layer, err);
}

/* A convolution of 1 px that brings what the block reads to the shape of what its layers make. */
static int append_projection(struct model *model, int fork, int block, struct err *err)
{
    struct model_shape from = model->layers[fork].out, to = model->layers[model->layer_count - 1].out;
    int stride_px = 1;
    while (stride_px < from.side_px && (from.side_px + stride_px - 1) / stride_px > to.side_px)
        stride_px++;
    if ((from.side_px + stride_px - 1) / stride_px != to.side_px)
        return err_set(
            err, -EINVAL,
            "its layers make %d px x %d channels, to which no stride brings the %d px x %d it reads",
            to.side_px, to.channels, from.side_px, from.channels);
    struct model_layer *layer = append(model, MODEL_CONV, err);
    if (!layer)
        return -EINVAL;
    layer->in = from;
    layer->out = to;
    layer->source = fork + 1;
    layer->kernel_px = 1;
    layer->stride_px = stride_px;
    layer->implied = true;
    snprintf(layer->name, sizeof layer->name, "residual%d.projection", block);
    return place_parameters(model, layer, err);
}

static bool same_shape(struct model_shape a, struct model_shape b)
{
    return a.side_px == b.side_px && a.channels == b.channels;
}

static int close_block(struct reader *reader, int fork, int block, bool relu, struct err *err)
{
    struct model *model = reader->model;
    int last = model->layer_count, shortcut = fork + 1;
    if (!same_shape(model->layers[fork].out, model->layers[last - 1].out)) {
        int code = append_projection(model, fork, block, err);
        if (code)
            return code;
        shortcut = model->layer_count;
    }
    struct model_layer *layer = append(model, MODEL_ADD, err);
    if (!layer)
        return -EINVAL;
    layer->source = last;
    layer->shortcut = shortcut;
    layer->relu = relu;
    snprintf(layer->name, sizeof layer->name, "residual%d", block);
    return 0;
}

static int read_lines(struct reader *reader, const json_t *lines, struct err *err);

static int read_residual(struct reader *reader, const json_t *line, struct err *err)
{
    bool relu = false;
    int code = model_check_keys(line, RESIDUAL_KEYS, err), block = ++reader->counts[MODEL_ADD],
        fork = reader->model->layer_count;
    if (!code)
        code = read_bool(line, "relu", &relu, err);
    if (!code && (reader->inside || reader->flat))
        code = err_set(err, -EINVAL, "residual cannot stand in another one, or follow a dense layer");
    if (code)
        return code;
    struct model_layer *layer = append(reader->model, MODEL_FORK, err);
    if (!layer)
        return -EINVAL;
    snprintf(layer->name, sizeof layer->name, "residual%d.in", block);
    reader->inside = true;
    code = read_lines(reader, json_object_get(line, "layers"), err);
    reader->inside = false;
    return code ? code : close_block(reader, fork, block, relu, err);
}

static int read_lines(struct reader *reader, const json_t *lines, struct err *err)
{
    size_t count = json_array_size(lines);
    if (count < 1 || count > LAYERS_MAX)
        return err_set(err, -EINVAL, "layers must be a list of 1 to %d layers", LAYERS_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *line = json_array_get(lines, i);
        const char *kind = json_string_value(json_object_get(line, "kind"));
        int code = !json_is_object(line) ? err_set(err, -EINVAL, "a layer is written {kind: ..., ...}")
                   : kind && strcmp(kind, "residual") == 0 ? read_residual(reader, line, err)
                                                           : read_layer(reader, line, err);
        if (code)
            return err_prefix(err, "layer %zu", i + 1);
    }
    return 0;
}

/* Before all that is trained: of the block's gradient they are whole last, since a backward pass goes from the
 * end to the beginning. */
static void place_statistics(struct model *model)
{
    for (int l = 0; l < model->layer_count; l++) {
        struct model_layer *layer = &model->layers[l];
        if (layer->type != MODEL_BATCHNORM)
            continue;
        layer->mean = model->trained;
        layer->variance = layer->mean + layer->bias_count;
        model->trained = layer->variance + layer->bias_count;
    }
    for (int l = 0; l < model->layer_count; l++) {
        struct model_layer *layer = &model->layers[l];
        layer->weight += layer->weight_count ? model->trained : 0;
        layer->bias += layer->bias_count ? model->trained : 0;
    }
    model->parameter_count += model->trained;
}

int model_read_layers(struct model *model, const json_t *lines, struct err *err)
{
    struct reader reader = {.model = model};
    model->layers = calloc(LAYERS_MAX, sizeof *model->layers);
    if (!model->layers)
        return err_set(err, -ENOMEM, "out of memory");
    int code = read_lines(&reader, lines, err);
    if (code)
        return code;
    place_statistics(model);
    const struct model_layer *last = &model->layers[model->layer_count - 1];
    if (last->type != MODEL_DENSE || last->out.channels != 2 || last->relu)
        return err_set(err, -EINVAL,
                       "the last layer must be {kind: dense, features: 2}: real and fake, without relu");
    return 0;
}
