/* Which part each group of stamps (a brick, a cell, an object) goes to. A group stays whole. */
#ifndef DECOY_SPLIT_ASSIGN_H
#define DECOY_SPLIT_ASSIGN_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

/* counts[g]: real and fake stamps of group g. parts[g] becomes an enum dataset_part, so that the share of test
 * and of valid in either class is as near to its fraction as whole groups allow. A function of its arguments.
 * At least one group to train; one to test when test > 0; one to valid when valid > 0 and there are 3 groups.
 * noun: "brick", for sentences. -EINVAL when there are too few groups, or fractions leave nothing to train on. */
int assign_groups(const size_t (*counts)[2], size_t groups, const char *noun, double test, double valid,
                  uint64_t seed, uint8_t *parts, struct err *err);

#endif
