/* See graph.h. A layer is a namespace, conv1 of conv1/Conv2D, also where it has one node: TensorBoard takes plain nodes
 * whose names are numbered for a series, and would show one conv[1-7] for all of a network. */
#include "daemon/worker/train/graph.h"

#include <errno.h>

enum { NAME_TEXT = sizeof((struct model_layer *)0)->name + 24 };

/* What a layer needs room for: the names that it reads, and those of its nodes. */
struct part {
    const char *inputs[2], *output; /* output: name */
    char name[NAME_TEXT], relu[NAME_TEXT];
};

static const char *operation_of(enum model_layer_type type)
{
    static const char *const OPERATIONS[MODEL_LAYER_TYPE_MAX] = {
        [MODEL_CONV] = "Conv2D",     [MODEL_AVGPOOL] = "AvgPool", [MODEL_MAXPOOL] = "MaxPool",
        [MODEL_GLOBALPOOL] = "Mean", [MODEL_DENSE] = "MatMul",    [MODEL_BATCHNORM] = "FusedBatchNormV3",
        [MODEL_DROPOUT] = "Dropout", [MODEL_RELU] = "Relu",       [MODEL_GELU] = "Gelu",
        [MODEL_SILU] = "Swish",      [MODEL_FORK] = "Identity",   [MODEL_ADD] = "AddV2",
    };
    return OPERATIONS[type];
}

static struct events_node node_of(const char *name, const char *operation, const char *const *inputs,
                                  int count, struct model_shape shape)
{
    return (struct events_node){.name = name,
                                .operation = operation,
                                .inputs = inputs,
                                .input_count = count,
                                .shape = {-1, shape.side_px, shape.side_px, shape.channels},
                                .dimensions = 4};
}

/* The layer's one or two nodes; returns how many. values: the name of each activation, the stamps' first. */
static int add_layer(struct events_node *nodes, struct part *part, const struct model_layer *layer,
                     const char **values)
{
    bool adds = layer->type == MODEL_ADD;
    part->inputs[0] = values[layer->source];
    part->inputs[1] = adds ? values[layer->shortcut] : NULL;
    part->output = part->name;
    snprintf(part->name, NAME_TEXT, "%s/%s", layer->name, operation_of(layer->type));
    nodes[0] = node_of(part->name, operation_of(layer->type), part->inputs, adds ? 2 : 1, layer->out);
    if (!layer->relu)
        return 1;
    snprintf(part->relu, NAME_TEXT, "%s/relu", layer->name);
    nodes[1] = node_of(part->relu, "Relu", &part->output, 1, layer->out);
    return 2;
}

int graph_write(struct events *events, const struct model *model, struct err *err)
{
    size_t layers = (size_t)model->layer_count;
    CLEANUP(free_ptr) struct events_node *nodes = calloc(2 * layers + 2, sizeof *nodes);
    CLEANUP(free_ptr) struct part *parts = calloc(layers, sizeof *parts);
    CLEANUP(free_ptr) const char **values = calloc(layers + 1, sizeof *values);
    int count = 0;
    if (!nodes || !parts || !values)
        return err_set(err, -ENOMEM, "out of memory");
    values[0] = "input";
    nodes[count++] = node_of("input", "Placeholder", NULL, 0, model->in);
    for (size_t i = 0; i < layers; i++) {
        count += add_layer(&nodes[count], &parts[i], &model->layers[i], values);
        values[i + 1] = nodes[count - 1].name;
    }
    nodes[count++] = node_of("softmax", "Softmax", &values[layers], 1, model->layers[layers - 1].out);
    return events_graph(events, nodes, count, err);
}
