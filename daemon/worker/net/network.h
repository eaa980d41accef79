/* A network ready to run on micro-batches of N stamps: activations, primitives and the parameter block.
 * Nothing is allocated or planned once it is created. One thread uses it (OpenMP's threads work inside).
 *
 * A training step on a micro-batch: fill network_input, network_forward, network_loss, network_backward.
 * After the parameters were changed, network_load must be called before the next forward. */
#ifndef DECOY_NET_NETWORK_H
#define DECOY_NET_NETWORK_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/worker/net/loss.h"
#include "daemon/worker/net/model.h"

#include <stdint.h>

struct network;

enum network_use {
    NETWORK_SCORE = 0,          /* forward only */
    NETWORK_TRAIN = 1,          /* and gradients of the parameters */
    NETWORK_INPUT_GRADIENT = 2, /* and of the input */
    NETWORK_BF16 = 4,           /* convolutions multiply in bfloat16; where network_has_bf16 */
};

/* uses: of enum network_use, or-ed. threads: OpenMP threads, fixed for good: results depend on them. The
 * model is borrowed until the network is destroyed. */
int network_create(struct network **out, const struct model *model, int batch, int threads, int uses,
                   struct err *err);
void network_destroy(struct network *network);
CLEANUP_DEFINE(network_destroy_ptr, struct network, network_destroy)

float *network_parameters(struct network *network);         /* the block, model.h; zeros at first */
float *network_input(struct network *network);              /* (N, S, S, C) */
const float *network_logits(const struct network *network); /* (N, 2): real, fake */

/* What the next forward and backward are for; without a call, and with train false: scoring, in which dropout
 * passes all and batchnorm takes the running statistics. A training pass drops by (seed, step, stamp), and
 * batchnorm takes the statistics of the micro-batch (Hoffer et al. 2017, arXiv:1705.08741, "ghost batches"):
 * a function of the micro-batch alone, so that no number depends on which rank computed what. */
struct network_pass {
    bool train;
    int rows;      /* stamps that count, the first ones */
    uint64_t seed; /* the run's */
    int64_t step;
    int first; /* place in the batch of the micro-batch's first stamp */
};

void network_begin(struct network *network, const struct network_pass *pass);

int network_load(struct network *network, struct err *err);
int network_forward(struct network *network, struct err *err);

/* loss_sum (loss.h) of the first `count` rows. With NETWORK_TRAIN it also sets what backward starts from:
 * weight x d loss / d logits, and 0 in the rows from count on. */
double network_loss(struct network *network, const struct loss *loss, const uint8_t *labels, int count,
                    double weight, int *correct);

/* P(fake) of each row, and what backward starts from: d P(fake) / d logits. */
void network_scores(struct network *network, double *score);

/* gradient: a block like the parameters', overwritten (NULL unless NETWORK_TRAIN). In the place of a running
 * mean or variance stands the micro-batch's own, times rows x weight: summed over a batch, with weight 1 / batch,
 * they are the batch's, and network_track moves the running ones a tenth of the way there. */
int network_backward(struct network *network, float *gradient, struct err *err);
void network_track(struct network *network, const float *gradient);
const float *network_input_gradient(const struct network *network); /* (N, S, S, C) */

/* Bytes that it has allocated for a micro-batch, besides the parameter block. */
struct network_memory {
    size_t activations, derivatives, kernels;
};

struct network_memory network_memory(const struct network *network);

/* Called after each layer's part with clock_monotonic_s times; NULL: no hook. phase: "forward" or "backward".
 */
typedef void network_hook(void *context, const char *layer, const char *phase, double start_s, double end_s);
void network_set_hook(struct network *network, network_hook *hook, void *context);

/* Called within backward whenever a layer's part of the gradient block is whole, from the last layer to the
 * first: count floats from offset on. Statistics of batchnorms, at the block's beginning, are not told of. NULL: nothing is called. */
typedef void network_ready(void *context, size_t offset, size_t count);
void network_set_ready(struct network *network, network_ready *ready, void *context);

/* "oneDNN 2.6.0, AVX512_CORE_BF16": what the bits of a result depend on, besides threads. */
void network_describe_library(char text[64]);

/* Whether this processor multiplies in bfloat16 (avx512_bf16), and ONEDNN_MAX_CPU_ISA does not forbid it. */
bool network_has_bf16(void);

#endif
