/* What a train job left in its directory: model.yaml, input.json, and weights. */
#ifndef DECOY_NET_TRAINED_H
#define DECOY_NET_TRAINED_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/worker/net/input.h"
#include "daemon/worker/net/model.h"

struct trained {
    struct model *model;
    struct input *input;
    float *parameters; /* model->parameter_count, the block of model.h; zeros until they are read */
    char *fingerprint; /* of the dataset it was trained on; NULL: not told */
};

/* Reads model and input. What was read of a failed one is freed by trained_close, too. */
int trained_open(struct trained *trained, const char *directory, struct err *err);
void trained_close(struct trained *trained);

/* The best model by validation loss where there is one, else, or with `last`, that of the last step. *metadata
 * (NULL: not wanted): texts that go with them, the caller's. */
int trained_weights(struct trained *trained, const char *directory, bool last, json_t **metadata,
                    struct err *err);

#endif
