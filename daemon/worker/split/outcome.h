/* manifest.json of a dataset (dataset/dataset.h tells its members), and what a split job reports. */
#ifndef DECOY_SPLIT_OUTCOME_H
#define DECOY_SPLIT_OUTCOME_H

#include "daemon/worker/split/parts.h"
#include "daemon/worker/split/plan.h"

#include <jansson.h>

struct outcome {
    const char *out;
    const json_t *spec;
    const struct scan *scan;
    const struct parts *parts;
    const struct plan *plan;
    json_t *shards;        /* entries in their order */
    json_t *normalisation; /* {channel: {"median"}} */
};

/* The last file of a dataset to be written. */
int outcome_publish(const struct outcome *outcome, struct err *err);

/* What `decoy show` tells, a new reference: the manifest's rule, parts and sizes, with numbers of bricks. */
json_t *outcome_result(const struct outcome *outcome);

#endif
