/* The network of a train job in other programs' formats: <out>/model.safetensors, model.npz or model.onnx, and
 * last <out>/export.json:
 *
 *     {"v": 1, "format", "model", "weights", "file", "parameters", "metadata": {...}}
 *
 * safetensors and npz hold the tensors of net/model.h by name. An ONNX file holds all that lies between a stamp
 * and its score: it takes `stamps`, float32 (N, S, S, C) as cutouts and shards have them (nanomaggies and
 * their inverse variance), normalises them as net/input.h says, and gives `score`, (N), the P(fake) of
 * evaluate's predictions.h5, and `logits`, (N, 2): real, fake. metadata goes into the file too: format's
 * __metadata__, metadata_props, or the zip's comment. */
#ifndef DECOY_EXPORT_NETWORK_H
#define DECOY_EXPORT_NETWORK_H

#include "daemon/worker/export/onnx.h"
#include "daemon/worker/job.h"
#include "daemon/worker/net/trained.h"

/* The job, when --model is given. Rank 0 works. */
int export_network(struct job *job, struct err *err);

/* One format. metadata: an object of texts. */
typedef int network_write(const struct trained *trained, const char *path, const json_t *metadata,
                          struct err *err);
network_write network_write_safetensors, network_write_npz, network_write_onnx;

/* Parts of an ONNX graph. Each appends nodes and returns the name of the last value: the normalised stamps, (N, C,
 * S, S), from "stamps"; the logits from those. */
const char *onnx_input_layers(struct onnx *onnx, const struct input *input);
const char *onnx_network_layers(struct onnx *onnx, const struct model *model, const float *parameters,
                                const char *input);

#endif
