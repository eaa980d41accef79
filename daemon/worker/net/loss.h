/* The loss of two logits a row, (real, fake): cross-entropy of their softmax, with label smoothing and class
 * weights as in PyTorch's cross_entropy. For a row with label y and nll_c = -log softmax_c:
 *
 *     (1 - s) w_y nll_y + s / 2 (w_0 nll_0 + w_1 nll_1)
 *
 * but summed over rows, where PyTorch's mean divides by the sum of w_y. */
#ifndef DECOY_NET_LOSS_H
#define DECOY_NET_LOSS_H

#include <stdint.h>

struct loss {
    double smoothing;       /* s, 0 .. 1 */
    double class_weight[2]; /* w of real and of fake */
};

extern const struct loss LOSS_PLAIN; /* s = 0, w = 1 */

/* P(fake): the softmax of two logits, without overflow. */
double loss_fake_probability(const float *logits);

/* The sum over the first `count` of `rows` rows, in double, in order; *correct: rows whose larger logit is
 * the label's (a tie counts as real). diff (NULL: not wanted), (rows, 2): weight x d loss / d logits, and 0
 * in the rows from count on. */
double loss_sum(const struct loss *loss, const float *logits, const uint8_t *labels, int rows, int count,
                double weight, float *diff, int *correct);

#endif
