/* Sums of quantities with factors, as text: "1.15 (r - z) - 0.15", "flux_g", "mag_g - mag_r". Private to
 * cuts.c.
 *
 *   sum    = ["-"] term { ("+" | "-") term }
 *   term   = [number ["*"]] (name | "(" sum ")") | number */
#ifndef DECOY_SKY_LINEAR_H
#define DECOY_SKY_LINEAR_H

#include "common/err.h"

#include <stddef.h>

#define LINEAR_TERMS_MAX 16
#define LINEAR_NAME_MAX  48

struct linear {
    double constant;
    size_t count;
    struct {
        char name[LINEAR_NAME_MAX];
        double factor;
    } terms[LINEAR_TERMS_MAX];
};

/* Reads one sum at *at and moves *at behind it and the blanks that follow. -EINVAL says what was expected. */
int linear_parse(const char **at, struct linear *sum, struct err *err);

/* sum += factor * other; -EINVAL when there are too many terms. */
int linear_add(struct linear *sum, const struct linear *other, double factor, struct err *err);

#endif
