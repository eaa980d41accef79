/* Logistic regression with a ridge: P(label = 1 | x) = 1 / (1 + exp(-(intercept + weights . x))). */
#ifndef DECOY_STATISTICS_LOGISTIC_H
#define DECOY_STATISTICS_LOGISTIC_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

enum { LOGISTIC_MOST = 64 }; /* variables */

struct logistic {
    size_t variables;
    double intercept, weight[LOGISTIC_MOST];
};

/* Minimises sum log(1 + exp(-+ logit)) + ridge / 2 |weights|^2 (the intercept is free) by Newton's method with
 * halved steps. x: n rows of `variables`, best of unit variance. ridge > 0, so that separable classes have a
 * minimum too. -EINVAL: a class is missing, or more than LOGISTIC_MOST variables. */
int logistic_fit(struct logistic *fit, const double *x, const uint8_t *label, size_t n, size_t variables,
                 double ridge, struct err *err);

#endif
