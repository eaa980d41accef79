/* See safetensors.h. The header is padded with blanks so that the data are 8-byte aligned. */
#include "daemon/worker/net/safetensors.h"
#include "common/file.h"
#include "proto/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors files are little-endian"
#endif

enum { PREFIX = 8 };
#define FILE_LIMIT ((size_t)16 << 30)

static json_t *describe_tensor(const struct model_tensor *tensor)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->dimensions; i++)
        json_array_append_new(shape, json_integer(tensor->shape[i]));
    json_int_t start = (json_int_t)(tensor->offset * sizeof(float)),
               end = start + (json_int_t)(tensor->count * sizeof(float));
    return json_pack("{ss so s[II]}", "dtype", "F32", "shape", shape, "data_offsets", start, end);
}

static char *header_text(const struct model *model, const json_t *metadata)
{
    json_t *header = json_pack("{sO}", "__metadata__", metadata);
    for (int i = 0; i < model_tensor_count(model); i++) {
        struct model_tensor tensor = model_tensor(model, i);
        json_object_set_new(header, tensor.name, describe_tensor(&tensor));
    }
    char *text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    return text;
}

int safetensors_publish(const char *path, const struct model *model, const float *parameters,
                        const json_t *metadata, struct err *err)
{
    CLEANUP(free_ptr) char *header = header_text(model, metadata);
    if (!header)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    uint64_t length = (strlen(header) + 7) / 8 * 8;
    size_t data = model->parameter_count * sizeof *parameters;
    CLEANUP(free_ptr) char *bytes = malloc(PREFIX + length + data);
    if (!bytes)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    memcpy(bytes, &length, PREFIX);
    memset(bytes + PREFIX, ' ', length);
    memcpy(bytes + PREFIX, header, strlen(header));
    memcpy(bytes + PREFIX + length, parameters, data);
    return file_publish(path, bytes, PREFIX + length + data, err);
}

static bool shape_matches(const json_t *shape, const struct model_tensor *tensor)
{
    bool same = json_array_size(shape) == (size_t)tensor->dimensions;
    for (int i = 0; same && i < tensor->dimensions; i++)
        same = json_integer_value(json_array_get(shape, (size_t)i)) == tensor->shape[i];
    return same;
}

static int read_tensor(const json_t *header, const char *data, size_t size, const struct model_tensor *tensor,
                       float *values, struct err *err)
{
    const json_t *entry = json_object_get(header, tensor->name);
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    const json_t *offsets = json_object_get(entry, "data_offsets");
    json_int_t start = json_integer_value(json_array_get(offsets, 0)),
               end = json_integer_value(json_array_get(offsets, 1));
    if (!entry)
        return err_set(err, -EINVAL, "%s is missing", tensor->name);
    if (!type || strcmp(type, "F32") != 0 || !shape_matches(json_object_get(entry, "shape"), tensor))
        return err_set(err, -EINVAL, "%s has not the type F32 and the shape that the model gives it",
                       tensor->name);
    if (start < 0 || end < start || (size_t)end > size ||
        (size_t)(end - start) != tensor->count * sizeof *values)
        return err_set(err, -EINVAL, "%s points outside the file", tensor->name);
    memcpy(values, data + start, tensor->count * sizeof *values);
    for (size_t i = 0; i < tensor->count; i++) {
        if (!isfinite(values[i]))
            return err_set(err, -EINVAL, "%s holds a value that is not finite", tensor->name);
    }
    return 0;
}

int safetensors_read(const char *path, const struct model *model, float *parameters, json_t **metadata,
                     struct err *err)
{
    CLEANUP(free_ptr) char *bytes = NULL;
    size_t size;
    uint64_t length = 0;
    int code = file_read(path, FILE_LIMIT, &bytes, &size, err);
    if (code)
        return code;
    if (size >= PREFIX)
        memcpy(&length, bytes, PREFIX);
    if (size < PREFIX || length > size - PREFIX)
        return err_set(err, -EINVAL, "%s is not a safetensors file, or was cut short", path);
    json_t *header;
    code = json_parse_bytes(bytes + PREFIX, length, &header, err);
    if (code)
        return err_prefix(err, "%s", path);
    for (int i = 0; i < model_tensor_count(model) && !code; i++) {
        struct model_tensor tensor = model_tensor(model, i);
        code = read_tensor(header, bytes + PREFIX + length, size - PREFIX - length, &tensor,
                           parameters + tensor.offset, err);
    }
    const json_t *texts = json_object_get(header, "__metadata__");
    if (!code && metadata)
        *metadata = json_is_object(texts) ? json_deep_copy(texts) : json_object();
    json_decref(header);
    return code ? err_prefix(err, "%s", path) : 0;
}
