/* What catalogue columns alone say about the class: a control of every verdict. A logistic regression on the
 * covariates of property.h and their squares (each column scaled to mean 0 and variance 1 over the training part
 * and kept within 4 deviations; a value that is not known counts as the mean) learns from the training part and
 * is measured on the part of the verdict. Fakes that were selected as the reals were give an AUC of 0.5. Where it
 * does as well as the network, the classes were selected differently, whatever the galaxies look like.
 *
 * "covariates" of verdict.json: {"columns": ["mag_r", ...], "n_train", "auc": {"value", "low", "high" (95 %),
 * "p": one-sided against 0.5}}, or null where the index has none of the columns. */
#ifndef DECOY_EVALUATE_COVARIATES_H
#define DECOY_EVALUATE_COVARIATES_H

#include "common/err.h"
#include "daemon/worker/evaluate/property.h"
#include "daemon/worker/evaluate/verdict.h"

#include <jansson.h>

enum { COVARIATES_MAX = 16, COVARIATES_TRAIN_MOST = 200000 }; /* a larger part is thinned evenly */

struct covariates {
    size_t count; /* of columns; 0: nothing was measured */
    const struct property *columns[COVARIATES_MAX];
    size_t n_train;
    struct auc auc;
    double low, high, p;
};

/* input: the verdict's; its score is not looked at. */
int covariates_measure(struct covariates *covariates, struct dataset *dataset, enum dataset_part part,
                       const struct verdict_input *input, struct err *err);

/* Beyond chance (at VERDICT_ALPHA), and at least as far as the network. */
bool covariates_rival(const struct covariates *covariates, const struct verdict *verdict);

json_t *covariates_to_json(const struct covariates *covariates); /* a new reference */

#endif
