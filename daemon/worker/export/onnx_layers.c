/* A network's layers as ONNX operators, and the whole file. Activations are (N, C, S, S), since ONNX knows no other;
 * a dense layer after them reads rows, columns, channels, as its weights are ordered (net/model.h). What scoring
 * does not need is left out: dropout, and forks of residual blocks. A layer's last value has its name, so that one
 * with ReLU makes "conv1.linear" before. */
#include "common/str.h"
#include "daemon/worker/export/network.h"

#include <string.h>

#define READS(...) ((const char *[]){__VA_ARGS__, NULL})

enum { NAME_TEXT = 64 };

struct builder {
    struct onnx *onnx;
    const struct model *model;
    const float *parameters;
    const char **values; /* of each activation: the stamps, then what each layer makes */
    bool flat;           /* a dense layer was there */
};

struct layer_names {
    char weight[NAME_TEXT], bias[NAME_TEXT], mean[NAME_TEXT], variance[NAME_TEXT];
};

static struct layer_names names_of(const struct model_layer *layer)
{
    struct layer_names names;
    snprintf(names.weight, NAME_TEXT, "%s.weight", layer->name);
    snprintf(names.bias, NAME_TEXT, "%s.bias", layer->name);
    snprintf(names.mean, NAME_TEXT, "%s.running_mean", layer->name);
    snprintf(names.variance, NAME_TEXT, "%s.running_var", layer->name);
    return names;
}

static void set_window(struct onnx *onnx, const struct model_layer *layer)
{
    const int64_t before = layer->pad_before_px, after = layer->pad_after_px, stride = layer->stride_px,
                  kernel = layer->kernel_px;
    onnx_set_ints(onnx, "kernel_shape", 2, (int64_t[]){kernel, kernel});
    onnx_set_ints(onnx, "strides", 2, (int64_t[]){stride, stride});
    onnx_set_ints(onnx, "pads", 4, (int64_t[]){before, before, after, after});
}

/* x Phi(x): Gelu is an operator of its own from set 20 on only. */
static void add_gelu(struct onnx *onnx, const char *output, const char *input)
{
    static const char *const ENDS[4] = {"scaled", "erf", "sum", "half"};
    char names[4][NAME_TEXT + 8];
    for (int i = 0; i < 4; i++)
        snprintf(names[i], sizeof names[i], "%.50s.%s", output, ENDS[i]);
    onnx_add(onnx, "Mul", names[0], READS(input, "gelu.scale"));
    onnx_add(onnx, "Erf", names[1], READS(names[0]));
    onnx_add(onnx, "Add", names[2], READS(names[1], "gelu.one"));
    onnx_add(onnx, "Mul", names[3], READS(input, "gelu.half"));
    onnx_add(onnx, "Mul", output, READS(names[3], names[2]));
}

static void add_gelu_constants(struct onnx *onnx, const struct model *model)
{
    bool any = false;
    for (int i = 0; i < model->layer_count; i++)
        any |= model->layers[i].type == MODEL_GELU;
    if (!any)
        return;
    onnx_number(onnx, "gelu.scale", 0.70710678118654752440f); /* 1 / sqrt(2) */
    onnx_number(onnx, "gelu.half", 0.5f);
    onnx_number(onnx, "gelu.one", 1);
}

static void add_silu(struct onnx *onnx, const char *output, const char *input)
{
    char gate[NAME_TEXT];
    snprintf(gate, NAME_TEXT, "%.50s.gate", output);
    onnx_add(onnx, "Sigmoid", gate, READS(input));
    onnx_add(onnx, "Mul", output, READS(input, gate));
}

static void add_dense(struct builder *builder, const struct model_layer *layer, const char *output,
                      const char *input)
{
    char turned[NAME_TEXT], flat[NAME_TEXT];
    struct layer_names names = names_of(layer);
    snprintf(turned, NAME_TEXT, "%s.turned", layer->name);
    snprintf(flat, NAME_TEXT, "%s.flat", layer->name);
    if (!builder->flat) {
        onnx_add(builder->onnx, "Transpose", turned, READS(input));
        onnx_set_ints(builder->onnx, "perm", 4, (int64_t[]){0, 2, 3, 1});
        onnx_add(builder->onnx, "Flatten", flat, READS(turned));
        onnx_set_int(builder->onnx, "axis", 1);
        input = flat;
    }
    builder->flat = true;
    onnx_add(builder->onnx, "Gemm", output, READS(input, names.weight, names.bias));
    onnx_set_int(builder->onnx, "transB", 1);
}

/* What the layer makes before its ReLU. */
static void add_layer(struct builder *builder, const struct model_layer *layer, const char *output)
{
    struct onnx *onnx = builder->onnx;
    const char *input = builder->values[layer->source];
    struct layer_names names = names_of(layer);
    switch (layer->type) {
    case MODEL_CONV:
        onnx_add(onnx, "Conv", output, READS(input, names.weight, names.bias));
        set_window(onnx, layer);
        break;
    case MODEL_AVGPOOL:
        onnx_add(onnx, "AveragePool", output, READS(input));
        set_window(onnx, layer);
        onnx_set_int(onnx, "count_include_pad", 0);
        break;
    case MODEL_MAXPOOL:
        onnx_add(onnx, "MaxPool", output, READS(input));
        set_window(onnx, layer);
        break;
    case MODEL_GLOBALPOOL:
        onnx_add(onnx, "GlobalAveragePool", output, READS(input));
        break;
    case MODEL_DENSE:
        add_dense(builder, layer, output, input);
        break;
    case MODEL_BATCHNORM:
        onnx_add(onnx, "BatchNormalization", output,
                 READS(input, names.weight, names.bias, names.mean, names.variance));
        onnx_set_float(onnx, "epsilon", MODEL_EPSILON);
        break;
    case MODEL_RELU:
        onnx_add(onnx, "Relu", output, READS(input));
        break;
    case MODEL_GELU:
        add_gelu(onnx, output, input);
        break;
    case MODEL_SILU:
        add_silu(onnx, output, input);
        break;
    case MODEL_ADD:
        onnx_add(onnx, "Add", output, READS(input, builder->values[layer->shortcut]));
        break;
    case MODEL_DROPOUT:
    case MODEL_FORK:
    case MODEL_LAYER_TYPE_MAX:
        break;
    }
}

static void add_tensors(const struct builder *builder)
{
    for (int i = 0; i < model_tensor_count(builder->model); i++) {
        struct model_tensor tensor = model_tensor(builder->model, i);
        onnx_tensor(builder->onnx, tensor.name, tensor.dimensions, tensor.shape,
                    builder->parameters + tensor.offset);
    }
}

const char *onnx_network_layers(struct onnx *onnx, const struct model *model, const float *parameters,
                                const char *input)
{
    struct builder builder = {.onnx = onnx, .model = model, .parameters = parameters};
    builder.values = calloc((size_t)model->layer_count + 1, sizeof *builder.values);
    if (!builder.values)
        abort();
    builder.values[0] = input;
    add_tensors(&builder);
    add_gelu_constants(onnx, model);
    for (int i = 0; i < model->layer_count; i++) {
        const struct model_layer *layer = &model->layers[i];
        char linear[NAME_TEXT];
        snprintf(linear, NAME_TEXT, "%s.linear", layer->name);
        bool passes = layer->type == MODEL_DROPOUT || layer->type == MODEL_FORK;
        builder.values[i + 1] = passes ? builder.values[layer->source] : layer->name;
        add_layer(&builder, layer, layer->relu ? linear : layer->name);
        if (layer->relu)
            onnx_add(onnx, "Relu", layer->name, READS(linear));
    }
    const char *logits = builder.values[model->layer_count];
    free(builder.values);
    return logits;
}

static void describe(struct onnx *onnx, const struct trained *trained)
{
    const int64_t side = input_stamp(trained->input), channels = input_channels(trained->input);
    CLEANUP(free_ptr) char *order = str_format("%s", "");
    for (int c = 0; c < channels; c++) {
        char *longer = str_format("%s%s%s", order, c ? "," : "", input_channel(trained->input, c).name);
        free(order);
        order = longer;
    }
    CLEANUP(free_ptr)
    char *text = str_format("stamps as cut: row, column, channel (%s); images in nanomaggies, ivar_ their "
                            "inverse variance, 0 where there is no data",
                            order);
    onnx_metadata(onnx, "channels", order);
    onnx_metadata(onnx, "image_scale", input_image_scale(trained->input));
    onnx_metadata(onnx, "invvar_scale", input_invvar_scale(trained->input));
    onnx_input(onnx, "stamps", text, 4, (int64_t[]){ONNX_ANY, side, side, channels});
    onnx_output(onnx, "score", "P(fake)", 1, (int64_t[]){ONNX_ANY});
    onnx_output(onnx, "logits", "of real and fake: score is the second of their softmax", 2,
                (int64_t[]){ONNX_ANY, 2});
}

int network_write_onnx(const struct trained *trained, const char *path, const json_t *metadata,
                       struct err *err)
{
    CLEANUP(onnx_destroy_ptr) struct onnx *onnx = onnx_create(trained->model->name);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)metadata, key, value) onnx_metadata(onnx, key, json_string_value(value));
    describe(onnx, trained);
    const char *input = onnx_input_layers(onnx, trained->input);
    const char *last = onnx_network_layers(onnx, trained->model, trained->parameters, input);
    onnx_add(onnx, "Identity", "logits", READS(last));
    onnx_add(onnx, "Softmax", "probabilities", READS("logits"));
    onnx_set_int(onnx, "axis", 1);
    onnx_integers(onnx, "fake", 0, 1, (int64_t[]){1});
    onnx_add(onnx, "Gather", "score", READS("probabilities", "fake"));
    onnx_set_int(onnx, "axis", 1);
    return onnx_publish(onnx, path, err);
}
