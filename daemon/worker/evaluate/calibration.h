/* Whether P(fake) means what it says: of the examples with P near 0.7, are seven in ten fakes?
 *
 * "calibration" of verdict.json:
 *   {"brier", "brier_of_chance", "log_loss", "log_loss_of_chance" (nats),
 *    "bins": [{"n", "score", "fakes", "share", "low", "high" (95 %)}]}
 * Chance is the score that gives every example the share of the fakes: for equal classes 0.25 and ln 2. A network
 * above it says more than it knows. */
#ifndef DECOY_EVALUATE_CALIBRATION_H
#define DECOY_EVALUATE_CALIBRATION_H

#include "common/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { CALIBRATION_BINS = 10 }; /* of equally many examples, by rising score; ties stay together */

struct calibration {
    double brier, brier_of_chance;       /* mean (score - label)^2: Brier 1950 */
    double log_loss, log_loss_of_chance; /* mean -ln P(label); P is kept 1e-7 away from 0 and 1 */
    size_t bin_count;
    struct {
        size_t n, fakes;
        double score, low, high; /* mean score; Clopper-Pearson interval of the share of fakes, 95 % */
    } bins[CALIBRATION_BINS];
};

/* score: P(fake), 0 to 1; label: 1 fake, 0 real; n > 0. -ENOMEM. */
int calibration_measure(struct calibration *calibration, const double *score, const uint8_t *label, size_t n,
                        struct err *err);

json_t *calibration_to_json(const struct calibration *calibration); /* a new reference */

#endif
