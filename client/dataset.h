/* A dataset for a person to read: from the result of a split job, or from the manifest.json of a dataset
 * (daemon/worker/dataset/dataset.h). */
#ifndef DECOY_CLIENT_DATASET_H
#define DECOY_CLIENT_DATASET_H

#include <jansson.h>

/* Lines and a table of its parts in fresh memory, cut to width columns (0: any); NULL when it is neither. */
char *dataset_format(const json_t *dataset, int width);

#endif
