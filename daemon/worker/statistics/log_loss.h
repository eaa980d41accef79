/* Mean cross entropy of probabilities, -log P(the right class), and its standard error. */
#ifndef DECOY_STATISTICS_LOG_LOSS_H
#define DECOY_STATISTICS_LOG_LOSS_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

struct log_loss {
    double value; /* nats an example; probabilities are kept 2^-52 away from 0 and 1, as scikit-learn does */
    double
        standard_error; /* of the mean: the larger of that of independent examples and, from AUC_LEAST_CLUSTERS
                              clusters on, that of clusters (Liang & Zeger 1986, Biometrika 73, 13) */
};

/* score: P(fake); label: 1 fake, 0 real; cluster: 0 .. clusters-1 (NULL: none). n >= 2, or -EINVAL. */
int log_loss_measure(struct log_loss *loss, const double *score, const uint8_t *label,
                     const uint32_t *cluster, size_t clusters, size_t n, struct err *err);

#endif
