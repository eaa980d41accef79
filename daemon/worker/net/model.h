/* A network as a list of layers: read from a YAML model file, every shape worked out from the stamp's.
 *
 * Legend used all over net/: N stamps of a micro-batch, S side in px (stamps and windows are square),
 * C channels. Activations are float32 (N, S, S, C), channels last.
 *
 * Parameters are one flat block of float32: for each conv or dense layer its weight, then its bias, in the
 * order of the layers and without gaps. A conv weight is (out, in, row, column), PyTorch's OIHW. A dense
 * weight is (out, in), where `in` counts the flattened input in the order row, column, channel: in PyTorch
 * that is x.permute(0, 2, 3, 1).flatten(1). */
#ifndef DECOY_NET_MODEL_H
#define DECOY_NET_MODEL_H

#include "common/cleanup.h"
#include "common/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum model_layer_type { MODEL_CONV, MODEL_AVGPOOL, MODEL_MAXPOOL, MODEL_DENSE, MODEL_LAYER_TYPE_MAX };

struct model_shape {
    int side_px, channels;
};

struct model_layer {
    enum model_layer_type type;
    char name[24]; /* "conv1", "avgpool1", "dense2": counted by type */
    int kernel_px, stride_px;
    int pad_before_px, pad_after_px; /* TensorFlow's SAME: before = total / 2, after = the rest; VALID: 0 */
    bool valid;                      /* padding: valid */
    bool relu;
    struct model_shape in, out;  /* dense: out is 1 px of `features` channels */
    size_t weight, weight_count; /* offset and size in the parameter block; 0 without weights */
    size_t bias, bias_count;
};

struct model {
    char *name;
    struct model_shape in;
    struct model_layer *layers;
    int layer_count;
    size_t parameter_count;
};

/* A parameter tensor: safetensors and the checkpoint name it "conv1.weight", "conv1.bias". */
struct model_tensor {
    char name[40];
    long shape[4];
    int dimensions;
    size_t offset, count; /* in the parameter block */
};

/* Reads a model file for stamps of side stamp_px and `channels`; 0 for both: the file's `input` gives them.
 * The last layer must be dense with 2 features. -EINVAL names file, layer and key. */
int model_read(struct model **out, const char *path, int stamp_px, int channels, struct err *err);
int model_from_json(struct model **out, const json_t *file, int stamp_px, int channels, struct err *err);
void model_destroy(struct model *model);
CLEANUP_DEFINE(model_destroy_ptr, struct model, model_destroy)

/* The model as a YAML file that model_read takes, with its `input`. */
int model_publish(const struct model *model, const char *path, struct err *err);
char *
model_text(const struct model *model); /* the same as text, the caller's to free; equal models, equal texts */

int model_tensor_count(const struct model *model);
struct model_tensor model_tensor(const struct model *model, int i);

/* First weights, a pure function of seed: He et al. 2015 (normal, variance 2 / fan-in) before a ReLU, Glorot
 * & Bengio 2010 (uniform, +- sqrt(6 / (fan-in + fan-out))) elsewhere; biases 0. */
void model_initial_weights(const struct model *model, uint64_t seed, float *parameters);

#endif
