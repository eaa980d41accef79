/* A model's parameters as a safetensors file (https://huggingface.co/docs/safetensors): u64 header length,
 * JSON header {name: {dtype, shape, data_offsets}}, float32 data. Names, shapes and orders are model.h's. */
#ifndef DECOY_NET_SAFETENSORS_H
#define DECOY_NET_SAFETENSORS_H

#include "common/err.h"
#include "daemon/worker/net/model.h"

/* metadata: an object of texts for "__metadata__". */
int safetensors_publish(const char *path, const struct model *model, const float *parameters,
                        const json_t *metadata, struct err *err);

/* Every tensor of the model must be there with its shape, in float32 and finite; others are ignored. *metadata
 * (NULL: not wanted): the file's, an object, the caller's; empty where it has none. */
int safetensors_read(const char *path, const struct model *model, float *parameters, json_t **metadata,
                     struct err *err);

#endif
