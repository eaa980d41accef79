/* See onnx.h. The messages are protobuf-c's, each in memory of its own, so that its free_unpacked frees all. */
#include "daemon/worker/export/onnx.h"
#include "common/file.h"
#include "daemon/worker/export/onnx.pb-c.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

enum { IR_VERSION = 7 };

struct onnx {
    Onnx__ModelProto *model;
    Onnx__NodeProto *node; /* the last one, in it */
};

static void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static char *copy(const char *text)
{
    return must(strdup(text));
}

/* A fresh message of a type. */
static void *fresh(const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *message = must(calloc(1, type->sizeof_message));
    type->message_init(message);
    return message;
}

/* Room for one more pointer at the end of a list. */
#define APPEND(list, count, item)                                                                            \
    do {                                                                                                     \
        (list) = must(realloc((list), ((count) + 1) * sizeof *(list)));                                      \
        (list)[(count)++] = (item);                                                                          \
    } while (0)

struct onnx *onnx_create(const char *name)
{
    struct onnx *onnx = must(calloc(1, sizeof *onnx));
    Onnx__ModelProto *model = onnx->model = fresh(&onnx__model_proto__descriptor);
    Onnx__OperatorSetIdProto *operators = fresh(&onnx__operator_set_id_proto__descriptor);
    operators->domain = copy("");
    operators->version = ONNX_OPERATORS;
    model->ir_version = IR_VERSION;
    model->producer_name = copy("decoy");
    model->producer_version = copy(DECOY_VERSION);
    model->graph = fresh(&onnx__graph_proto__descriptor);
    model->graph->name = copy(name);
    APPEND(model->opset_import, model->n_opset_import, operators);
    return onnx;
}

void onnx_destroy(struct onnx *onnx)
{
    if (onnx)
        onnx__model_proto__free_unpacked(onnx->model, NULL);
    free(onnx);
}

void onnx_metadata(struct onnx *onnx, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = fresh(&onnx__string_string_entry_proto__descriptor);
    entry->key = copy(key);
    entry->value = copy(value);
    APPEND(onnx->model->metadata_props, onnx->model->n_metadata_props, entry);
}

static Onnx__TensorShapeProto *shape_of(int rank, const int64_t *sizes)
{
    Onnx__TensorShapeProto *shape = fresh(&onnx__tensor_shape_proto__descriptor);
    for (int i = 0; i < rank; i++) {
        Onnx__TensorShapeProto__Dimension *dimension =
            fresh(&onnx__tensor_shape_proto__dimension__descriptor);
        dimension->has_dim_value = sizes[i] != ONNX_ANY;
        dimension->dim_value = dimension->has_dim_value ? sizes[i] : 0;
        dimension->dim_param = dimension->has_dim_value ? NULL : copy("N");
        APPEND(shape->dim, shape->n_dim, dimension);
    }
    return shape;
}

static Onnx__ValueInfoProto *value_of(const char *name, const char *description, int rank,
                                      const int64_t *sizes)
{
    Onnx__ValueInfoProto *value = fresh(&onnx__value_info_proto__descriptor);
    value->name = copy(name);
    value->doc_string = copy(description);
    value->type = fresh(&onnx__type_proto__descriptor);
    value->type->tensor_type = fresh(&onnx__type_proto__tensor__descriptor);
    value->type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    value->type->tensor_type->shape = shape_of(rank, sizes);
    return value;
}

void onnx_input(struct onnx *onnx, const char *name, const char *description, int rank, const int64_t *sizes)
{
    APPEND(onnx->model->graph->input, onnx->model->graph->n_input, value_of(name, description, rank, sizes));
}

void onnx_output(struct onnx *onnx, const char *name, const char *description, int rank, const int64_t *sizes)
{
    APPEND(onnx->model->graph->output, onnx->model->graph->n_output,
           value_of(name, description, rank, sizes));
}

/* A constant without sizes yet. */
static Onnx__TensorProto *constant(struct onnx *onnx, const char *name, Onnx__TensorProto__DataType type,
                                   const void *data, size_t size)
{
    Onnx__TensorProto *tensor = fresh(&onnx__tensor_proto__descriptor);
    tensor->name = copy(name);
    tensor->data_type = type;
    tensor->raw_data = (ProtobufCBinaryData){.len = size, .data = must(malloc(size))};
    memcpy(tensor->raw_data.data, data, size);
    APPEND(onnx->model->graph->initializer, onnx->model->graph->n_initializer, tensor);
    return tensor;
}

void onnx_tensor(struct onnx *onnx, const char *name, int rank, const long *shape, const float *values)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)shape[i];
    Onnx__TensorProto *tensor =
        constant(onnx, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, values, count * sizeof *values);
    for (int i = 0; i < rank; i++)
        APPEND(tensor->dims, tensor->n_dims, shape[i]);
}

void onnx_number(struct onnx *onnx, const char *name, float value)
{
    onnx_tensor(onnx, name, 0, NULL, &value);
}

void onnx_integers(struct onnx *onnx, const char *name, int rank, int count, const int64_t *values)
{
    Onnx__TensorProto *tensor =
        constant(onnx, name, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, values, (size_t)count * sizeof *values);
    if (rank)
        APPEND(tensor->dims, tensor->n_dims, count);
}

void onnx_add(struct onnx *onnx, const char *operation, const char *output, const char *const *inputs)
{
    Onnx__NodeProto *node = onnx->node = fresh(&onnx__node_proto__descriptor);
    node->op_type = copy(operation);
    node->name = copy(output);
    onnx_also_makes(onnx, output);
    for (; *inputs; inputs++)
        APPEND(node->input, node->n_input, copy(*inputs));
    APPEND(onnx->model->graph->node, onnx->model->graph->n_node, node);
}

void onnx_also_makes(struct onnx *onnx, const char *output)
{
    APPEND(onnx->node->output, onnx->node->n_output, copy(output));
}

static Onnx__AttributeProto *attribute(struct onnx *onnx, const char *name,
                                       Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *made = fresh(&onnx__attribute_proto__descriptor);
    made->name = copy(name);
    made->type = type;
    APPEND(onnx->node->attribute, onnx->node->n_attribute, made);
    return made;
}

void onnx_set_int(struct onnx *onnx, const char *name, int64_t value)
{
    Onnx__AttributeProto *made = attribute(onnx, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    made->has_i = 1;
    made->i = value;
}

void onnx_set_ints(struct onnx *onnx, const char *name, int count, const int64_t *values)
{
    Onnx__AttributeProto *made = attribute(onnx, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    for (int i = 0; i < count; i++)
        APPEND(made->ints, made->n_ints, values[i]);
}

void onnx_set_float(struct onnx *onnx, const char *name, float value)
{
    Onnx__AttributeProto *made = attribute(onnx, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    made->has_f = 1;
    made->f = value;
}

int onnx_publish(const struct onnx *onnx, const char *path, struct err *err)
{
    size_t size = onnx__model_proto__get_packed_size(onnx->model);
    if (size > INT_MAX)
        return err_set(err, -EFBIG, "%s would have %zu bytes, and an ONNX file holds at most 2 GiB", path,
                       size);
    CLEANUP(free_ptr) uint8_t *packed = malloc(size);
    if (!packed)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    onnx__model_proto__pack(onnx->model, packed);
    return file_publish(path, packed, size, err);
}
