/* Which part each stamp goes to, by one of three rules:
 *
 *   brick   whole bricks. All realisations of a brick and both classes share its sky: they stay together.
 *   cell    cells of the sky, of a stated size in dec and at least that in ra; a stamp nearer than a guard to a
 *           cell of another part is left out, so that no stamp of one part shows sky that a stamp of another
 *           shows, whatever the bricks (they overlap) and the realisations.
 *   object  each object for itself, as the original does: what stands at one place of the sky (within 1 arcsec),
 *           or has one id in one brick and class, stays together; neighbours do not, so that stamps of two parts
 *           show the same sky.
 *
 * Whatever the rule, one galaxy is not in two parts: bricks overlap, and where the survey did not say which brick
 * has the right to a galaxy, both may have it. Of stamps within an arcsecond of one another, those are left out
 * that are not in the part of the first one (real before fake, then by path). */
#ifndef DECOY_SPLIT_PARTS_H
#define DECOY_SPLIT_PARTS_H

#include "common/err.h"
#include "daemon/worker/split/scan.h"

#include "daemon/worker/dataset/dataset.h"

enum parts_by { PARTS_BY_BRICK, PARTS_BY_CELL, PARTS_BY_OBJECT };

struct parts_rule {
    enum parts_by by;
    double test, valid; /* fractions */
    double cell_deg;
    double guard_arcsec; /* 0: half the diagonal of a stamp */
    uint64_t seed;
};

struct parts {
    uint8_t *stamps;                 /* of each stamp: enum dataset_part or PART_NONE */
    uint8_t *bricks;                 /* of each brick: bit p set when part p has a stamp of it */
    size_t left_out;                 /* stamps in the guard */
    size_t copies;                   /* stamps left out since another part has the galaxy */
    const char *group_noun;          /* "cells", "objects", or NULL */
    size_t groups[DATASET_PART_MAX]; /* of them in each part */
    char rule[512];                  /* a sentence */
};

/* -EINVAL when the fractions cannot be had, or the rule wants columns that the files lack. */
int parts_choose(struct parts *parts, const struct scan *scan, const struct parts_rule *rule,
                 struct err *err);
void parts_free(struct parts *parts); /* its contents */

#endif
