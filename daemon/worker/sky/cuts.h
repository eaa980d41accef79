/* Cuts: which rows of a catalogue are taken, as a YAML file of etc/cuts/ says.
 *
 *   description: text                         optional
 *   cuts:                                     in this order; a row must pass all
 *     - flux_g > 0                            <, <=, >, >=, == between sums (linear.h) of quantities (catalogue.h)
 *     - 0.131 <= rhalf <= 2                   or both ways
 *     - g - r < 1                             magnitudes by the band's letter, so colours are differences
 *     - brick_primary                         a flag: not 0
 *     - type: {not: [COMP, DEV]}              or {only: [...]}
 *     - maskbits: {none: [BRIGHT, 12]}        bits of a column: none of them set, or {any: [...]}; numbers from 0,
 *                                             and of maskbits the names that the surveys gave them
 *     - line: {x: r - z, y: g - r, slope: 1.15, intercept: -0.15, keep: below, pad: 0.5}
 *
 * A line keeps y <= slope x + intercept (keep: above: >=), moved outwards along its normal by pad, i.e. by
 * pad sqrt(1 + slope^2) in y. A quantity that is NaN fails every cut that asks for it. */
#ifndef DECOY_SKY_CUTS_H
#define DECOY_SKY_CUTS_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/worker/sky/catalogue.h"

#include <stdbool.h>
#include <stddef.h>

struct cuts;

/* Errors name the file, and the cut or key. */
int cuts_open(struct cuts **out, const char *path, struct err *err);
void cuts_close(struct cuts *cuts);
CLEANUP_DEFINE(cuts_close_ptr, struct cuts, cuts_close)

size_t cuts_count(const struct cuts *cuts);
const char *cuts_name(const struct cuts *cuts, size_t i); /* "flux_g > 0" */
const char *cuts_text(const struct cuts *cuts);           /* one cut a line: equal texts, equal selections */

/* keep[row] becomes false where a cut fails; left[i], if left is not NULL, is how many are kept after cut i.
 * Fails when the catalogue lacks a quantity: the sentence names the cut and the catalogue. */
int cuts_apply(const struct cuts *cuts, struct catalogue *catalogue, bool *keep, size_t *left,
               struct err *err);

#endif
