/* The properties of the galaxies by which a verdict is broken down, read from a dataset's index. */
#ifndef DECOY_EVALUATE_PROPERTY_H
#define DECOY_EVALUATE_PROPERTY_H

#include "common/err.h"
#include "daemon/worker/dataset/dataset.h"

#include <stdbool.h>

struct property {
    const char *name;  /* "mag_g" */
    const char *label; /* "g", for a person */
    const char *unit;  /* "mag"; "" without */
    /* One column; or the difference column - minus; or, of an inverse variance in nanomaggies^-2, the magnitude
     * of five sigma: 22.5 - 2.5 log10(5 / sqrt(column)). */
    const char *column, *minus;
    bool is_depth;
    bool is_covariate; /* one of the few that say all that the others say, for covariates.h */
};

extern const struct property PROPERTIES[];
extern const size_t PROPERTIES_COUNT; /* the first is mag_g */

/* One value an example of the part, in its order; NaN where it is not known. -ENOENT when the dataset lacks a
 * column. */
int property_read(const struct property *property, const struct dataset *dataset, enum dataset_part part,
                  double *values, struct err *err);

#endif
