/* Private to net/: what the files of struct model share. */
#ifndef DECOY_NET_MODEL_PRIVATE_H
#define DECOY_NET_MODEL_PRIVATE_H

#include "daemon/worker/net/model.h"

extern const char *const MODEL_KINDS[MODEL_LAYER_TYPE_MAX]; /* as the file calls them */

/* Inputs of one output: of a conv or dense layer. */
size_t model_fan_in(const struct model_layer *layer);

/* Fills layers and counts. */
int model_read_layers(struct model *model, const json_t *lines, struct err *err);

/* keys: "|key|key|". */
int model_check_keys(const json_t *object, const char *keys, struct err *err);

/* A whole number of 1 .. most; preset 0: it must be there. */
int model_read_int(const json_t *line, const char *key, int preset, int most, int *value, struct err *err);

#endif
