/* Which examples are shown: pure functions of their values; of equals the first. */
#ifndef DECOY_REPORT_CHOICE_H
#define DECOY_REPORT_CHOICE_H

#include "daemon/worker/report/gallery.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHOICE_MAX = 64 };

/* `count` (at most CHOICE_MAX) pairs of n examples with mag (NAN: never chosen) and label (1: fake): pairs[2 i + 1] are
 * the fakes nearest to a magnitude, pairs[2 i] the real ones nearest to each of them (without fakes, to the magnitude);
 * (size_t)-1 where there are none left. */
void choice_near(const double *mag, const uint8_t *label, size_t n, double target, size_t count,
                 size_t *pairs);

/* The fakes with the highest values, or the lowest; returns how many of `count` there are. */
size_t choice_extreme(const double *value, const uint8_t *label, size_t n, bool highest, size_t count,
                      size_t *fakes);

/* Linear between the two nearest of n > 0 sorted values, as numpy.percentile. */
double choice_percentile(const double *sorted, size_t n, double percent);

/* What stands under a gallery of pairs that choice_near chose: examples has rows x 2. Fresh memory. */
char *choice_caption(const char *band, double percent, double target, size_t n,
                     const struct gallery_example *examples, size_t rows);

#endif
