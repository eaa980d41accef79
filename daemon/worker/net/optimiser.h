/* What a gradient does to the parameters. Flat float32 loops over the parameter block, the same numbers on
 * every rank; g is the gradient times `scale`, w the weight decay, t the step, from 1.
 *
 *   sgd    g += w x;  m = momentum m + g;  x -= rate m                               (as PyTorch's SGD)
 *   adam   g += w x;  m, v: moving means of g and g^2 with 0.9 and 0.999;
 *          x -= rate m / (1 - 0.9^t) / (sqrt(v / (1 - 0.999^t)) + 1e-8)              (Kingma & Ba 2015,
 *                                                                     arXiv:1412.6980, algorithm 1)
 *   adamw  x -= rate w x, then as adam without decay                   (Loshchilov & Hutter, arXiv:1711.05101)
 *   lamb   u = m / (1 - 0.9^t) / (sqrt(v / (1 - 0.999^t)) + 1e-6) + w x;  x -= rate |x| / |u| u, with the norms
 *          of one tensor, and 1 for their ratio where either is 0      (You et al. 2020, arXiv:1904.00962,
 *                                                                     algorithm 2) */
#ifndef DECOY_NET_OPTIMISER_H
#define DECOY_NET_OPTIMISER_H

#include <stddef.h>
#include <stdint.h>

enum optimiser_rule { OPTIMISER_SGD, OPTIMISER_ADAM, OPTIMISER_ADAMW, OPTIMISER_LAMB, OPTIMISER_RULE_MAX };

extern const char *const OPTIMISER_RULES[OPTIMISER_RULE_MAX]; /* "sgd", ... */

struct optimiser {
    enum optimiser_rule rule;
    double momentum; /* of sgd */
    double weight_decay;
};

/* A block of count parameters and what belongs to each; first and second are zeros before step 1 (sgd leaves
 * second alone). */
struct optimiser_block {
    float *parameters, *first, *second;
    const float *gradient;
    size_t count;
};

/* One update, in place. For lamb a block is one tensor; the others may get any part or all of the parameters. */
void optimiser_update(const struct optimiser *optimiser, const struct optimiser_block *block, double rate,
                      double scale, int64_t step);

/* The Euclidean norm, summed in double in one fixed order. */
double optimiser_norm(const float *values, size_t count);

/* What clipping to a norm multiplies a gradient of norm `norm` by (as PyTorch's clip_grad_norm_); clip 0: 1. */
double optimiser_clip_scale(double norm, double clip);

#endif
