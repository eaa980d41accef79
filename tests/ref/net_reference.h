/* The network of net/model.h again, in plain C and double precision, as its formulas are written: loops over
 * every output and every weight, nothing shared with net/ but struct model and the random numbers. */
#ifndef DECOY_TESTS_REF_NET_REFERENCE_H
#define DECOY_TESTS_REF_NET_REFERENCE_H

#include "daemon/worker/net/network.h"

/* input (N, S, S, C), labels 0 or 1, logits (N, 2). The loss is weight x the sum of the cross-entropies;
 * gradient (the parameter block) and input_gradient are its derivatives. Returns the loss. */
double reference_run(const struct model *model, const struct network_pass *pass, const double *parameters,
                     const double *input, const uint8_t *labels, int batch, double weight, double *logits,
                     double *gradient, double *input_gradient);

/* TensorFlow's SAME rule, in its own words: rows of padding before a window that slides over `side`. */
int reference_pad_before(int side, int kernel, int stride);

#endif
