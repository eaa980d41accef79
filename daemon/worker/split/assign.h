/* Which part each brick goes to. All stamps of a brick, real and fake, of all realisations, share its sky:
 * they stay together. */
#ifndef DECOY_SPLIT_ASSIGN_H
#define DECOY_SPLIT_ASSIGN_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

/* counts[b]: real and fake stamps of brick b. parts[b] becomes an enum dataset_part, so that the share of
 * test and of valid in either class is as near to its fraction as whole bricks allow. A function of its
 * arguments. At least one brick to train; one to test when test > 0; one to valid when valid > 0 and there
 * are 3 bricks. -EINVAL when there are too few bricks, or fractions leave nothing to train on. */
int assign_bricks(const size_t (*counts)[2], size_t bricks, double test, double valid, uint64_t seed,
                  uint8_t *parts, struct err *err);

#endif
