/* See loss.h. With margin m = fake - real, nll_1 = softplus(-m) and nll_0 = softplus(m), so that a row's loss
 * is a_1 softplus(-m) + a_0 softplus(m), and its slope by m is (a_0 + a_1) P(fake) - a_1. */
#include "daemon/worker/net/loss.h"

#include <math.h>

const struct loss LOSS_PLAIN = {0, {1, 1}};

double loss_fake_probability(const float *logits)
{
    return 1 / (1 + exp((double)logits[0] - (double)logits[1]));
}

/* log(1 + exp(x)), without overflow. */
static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double class_share(const struct loss *loss, int class, uint8_t label)
{
    double share = (label == class ? 1 - loss->smoothing : 0) + loss->smoothing / 2;
    return share * loss->class_weight[class];
}

double loss_sum(const struct loss *loss, const float *logits, const uint8_t *labels, int rows, int count,
                double weight, float *diff, int *correct)
{
    double sum = 0;
    *correct = 0;
    for (int n = 0; n < count; n++) {
        double margin = (double)logits[2 * n + 1] - (double)logits[2 * n];
        double real = class_share(loss, 0, labels[n]), fake = class_share(loss, 1, labels[n]);
        double slope = weight * ((real + fake) * loss_fake_probability(&logits[2 * n]) - fake);
        sum += fake * softplus(-margin) + real * softplus(margin);
        *correct += (margin > 0) == (labels[n] == 1);
        if (diff) {
            diff[2 * n] = (float)-slope;
            diff[2 * n + 1] = (float)slope;
        }
    }
    for (int i = 2 * count; diff && i < 2 * rows; i++)
        diff[i] = 0;
    return sum;
}
