/* A network as a list of layers: read from a YAML model file, every shape worked out from the stamp's.
 *
 * Legend used all over net/: N stamps of a micro-batch, S side in px (stamps and windows are square),
 * C channels. Activations are float32 (N, S, S, C), channels last.
 *
 * Parameters are one flat block of float32: for each layer that has any its weight, then its bias, in the
 * order of the layers and without gaps; before them, for each batchnorm its running mean and variance. A conv weight is (out, in, row, column), PyTorch's OIHW. A dense
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

enum model_layer_type {
    MODEL_CONV,
    MODEL_AVGPOOL,
    MODEL_MAXPOOL,
    MODEL_GLOBALPOOL, /* the mean of all pixels */
    MODEL_DENSE,
    MODEL_BATCHNORM,
    MODEL_DROPOUT,
    MODEL_RELU,
    MODEL_GELU, /* x Phi(x), exact (Hendrycks & Gimpel 2016, arXiv:1606.08415) */
    MODEL_SILU, /* x / (1 + exp(-x)) */
    /* a residual block (He et al. 2016, arXiv:1512.03385) is a fork, its layers, perhaps a 1 x 1 convolution
     * of the fork to the shape of their output (the projection), and the sum of both */
    MODEL_FORK,
    MODEL_ADD,
    MODEL_LAYER_TYPE_MAX
};

#define MODEL_EPSILON 1e-5f /* batchnorm: added to the variance */

struct model_shape {
    int side_px, channels;
};

struct model_layer {
    enum model_layer_type type;
    char name[32]; /* "conv1", "avgpool1", "dense2": counted by type; of a residual block: "residual1.in",
                      "residual1.projection", "residual1" */
    int source;    /* which activation it reads: 0 the stamps, i + 1 what layer i made */
    int shortcut;  /* of an ADD: the other one */
    int kernel_px, stride_px;
    int pad_before_px, pad_after_px; /* TensorFlow's SAME: before = total / 2, after = the rest; VALID: 0 */
    bool valid;                      /* padding: valid */
    bool relu;                       /* of what it makes */
    bool implied;                    /* a projection: not in the file */
    double rate;                     /* dropout: the fraction that is dropped */
    struct model_shape in, out;      /* dense: out is 1 px of `features` channels */
    size_t weight, weight_count;     /* offset and size in the parameter block; 0 without weights */
    size_t bias, bias_count;
    size_t mean, variance; /* batchnorm: offsets of the running ones, bias_count each */
};

struct model {
    char *name;
    struct model_shape in;
    struct model_layer *layers;
    int layer_count;
    size_t parameter_count; /* the block */
    size_t trained;         /* where in it the part begins that an optimiser changes, to its end; before that
                               lie running means and variances */
};

/* A parameter tensor: safetensors and the checkpoint name it "conv1.weight", "conv1.bias",
 * "batchnorm1.running_mean". */
struct model_tensor {
    char name[56];
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

int model_tensor_count(const struct model *model); /* those that are trained come first */
int model_trained_tensor_count(const struct model *model);
struct model_tensor model_tensor(const struct model *model, int i);

/* First weights, a pure function of seed: He et al. 2015 (normal, variance 2 / fan-in) before a ReLU, Glorot
 * & Bengio 2010 (uniform, +- sqrt(6 / (fan-in + fan-out))) elsewhere; biases 0; batchnorm 1 and 0. */
void model_initial_weights(const struct model *model, uint64_t seed, float *parameters);

#endif
