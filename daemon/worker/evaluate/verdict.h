/* The verdict on a set of scores, as shared by verdict.json, report.html and the job's result. Pure: no files.
 *
 * With A the AUC (fakes against reals), decided in this order:
 *   inconclusive     all scores are equal: the network has learned nothing, which says nothing about the fakes;
 *   inconclusive     A is below 0.5 by more than chance (one-sided ALPHA) and its lower limit not above
 *                    0.5 - delta: the classes differ, but otherwise here than in the training part;
 *   representative   the one-sided 95 % upper limit of A is below 0.5 + delta, also where a smaller difference
 *                    is beyond doubt: with enough examples one always is, and delta was declared harmless;
 *   distinguishable  A is above 0.5 by more than chance: one-sided Mann-Whitney test at ALPHA;
 *   inconclusive     otherwise, with the number of further examples that would decide if A stays as it is.
 * ALPHA is 0.01: fakes that are alike are called distinguishable in one run of a hundred at most, for one and
 * a half times the examples that 0.05 would need. Accuracy and Fisher's test are printed beside it and decide
 * nothing, so that several tests are not several chances of a false alarm.
 *
 * Stamps of one brick share its sky. From AUC_LEAST_CLUSTERS bricks on, the larger of DeLong's and the
 * clustered variance is used throughout, and the design effect printed; below that stamps count as
 * independent, and `clustered` is false, which the report says.
 *
 * verdict.json:
 *   {"v": 1, "verdict", "sentence", "detail", "n", "n_fake", "n_real", "bricks", "alpha",
 *    "accuracy": {"value", "low", "high" (95 %), "correct", "majority", "p", "balanced", "total_variation",
 *                 "fisher_p", "called_fake": {"fake", "real"}},
 *    "auc": {"value", "low", "high" (95 %), "standard_error", "p", "clustered", "design_effect", "n_effective"},
 *    "log_loss": {"value", "standard_error"},
 *    "equivalence": {"delta", "upper", "margin", "needed" or null, "more" or null},
 *    "sensitivity": {"auc", "delta", "power"}: what so many examples would have shown, had it been so; null: nothing,
 *    "bins": [{"column": "mag_g", "low", "high", "from_percentile", "to_percentile", "n_fake", "n_real",
 *              "auc": {"value", "low", "high", "p", "p_holm"} or null}], of every property the index has,
 *    and from evaluate.c: "calibration" (calibration.h), "covariates" (covariates.h), "controls" (controls.h),
 *    "sees" (net/sight.h), "sham" (labels drawn by lot), "part", "model", "dataset", "fingerprint", "version", "job", "attempt",
 *    "split_seed" or null}. */
#ifndef DECOY_EVALUATE_VERDICT_H
#define DECOY_EVALUATE_VERDICT_H

#include "common/err.h"
#include "daemon/worker/statistics/auc.h"
#include "daemon/worker/statistics/log_loss.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VERDICT_ALPHA      0.01
#define VERDICT_CONFIDENCE 0.95 /* of two-sided intervals and of the one-sided limit */
#define VERDICT_POWER      0.90 /* with which the needed number of examples decides */

enum verdict_outcome {
    VERDICT_DISTINGUISHABLE,
    VERDICT_REPRESENTATIVE,
    VERDICT_INCONCLUSIVE,
    VERDICT_OUTCOME_MAX
};

struct property; /* property.h */

const char *verdict_outcome_name(enum verdict_outcome outcome);

/* The percentiles of g at which the document shows its examples; bins, of g as of every property, are the ranges
 * between them. The 1 % at each end, where a catalogue's outliers lie, is in no bin (and is in the verdict). */
enum { VERDICT_PERCENTILES = 5, VERDICT_BINS = VERDICT_PERCENTILES - 1, VERDICT_PROPERTIES_MAX = 16 };
extern const double VERDICT_PERCENTILE[VERDICT_PERCENTILES]; /* 1, 25, 50, 75, 99 */

struct verdict_input {
    size_t n;
    const double *score;   /* P(fake) */
    const uint8_t *label;  /* 1 fake, 0 real */
    const uint32_t *brick; /* 0 .. bricks-1, or NULL */
    size_t bricks;
    double delta;
};

struct verdict_bin {
    double low, high; /* low <= value < high, the last one <= high */
    size_t fakes, reals;
    bool measured; /* at least two of each class; else what follows is unset */
    struct auc auc;
    double auc_low, auc_high, p, p_holm; /* against 0.5, one-sided; Holm 1979 over the measured bins of all
                                               properties */
};

struct verdict_property {
    const struct property *of;
    double percentile[VERDICT_PERCENTILES]; /* of all examples; NaN where no value is known */
    struct verdict_bin bins[VERDICT_BINS];
};

struct verdict {
    enum verdict_outcome outcome;
    char sentence[512]; /* the verdict in one sentence, for a person */
    char detail[512];   /* what else must be known to read it; may be empty */
    size_t n, fakes, reals, bricks;
    struct {
        size_t correct, fake_as_fake, real_as_fake; /* score > 0.5 calls a stamp fake */
        double value, low, high, majority, p;       /* p: exact binomial, P(K >= correct | n, majority) */
        double balanced, total_variation; /* total variation distance of the classes is at least 2 BA - 1 */
        double fisher_p;
    } accuracy;
    struct auc auc;
    double auc_low, auc_high, p; /* p: one-sided, against 0.5 */
    struct log_loss loss;
    bool clustered;
    double delta, upper, needed; /* needed: examples that would decide; 0 when decided or not to be known */
    double least_auc;   /* that so many examples would call distinguishable with VERDICT_POWER; NaN: none */
    double least_delta; /* within which they would call fakes that are quite alike representative, likewise */
    size_t property_count;
    struct verdict_property properties[VERDICT_PROPERTIES_MAX];
};

/* "p = 0.012", or "p < 1e-300" where doubles end; returns text. */
const char *verdict_say_p(double p, char text[32]);

/* A verdict is reached in three steps: the scores are measured, then broken down by any number of properties
 * (one at a time: a column of a large part is large), then the numbers are judged and the sentences said. */

/* -EINVAL: fewer than two of a class, or a score that is not finite. */
int verdict_measure(struct verdict *verdict, const struct verdict_input *input, struct err *err);

/* bins.c: values: one an example, NaN where unknown. A property without any value leaves no trace. */
int verdict_break_down(struct verdict *verdict, const struct verdict_input *input,
                       const struct property *property, const double *values, struct err *err);

void verdict_decide(struct verdict *verdict);

/* bins.c: p_holm of every bin. Part of verdict_decide. */
void verdict_adjust_bins(struct verdict *verdict);

/* The bins of a property by its name, or NULL. */
const struct verdict_property *verdict_property_find(const struct verdict *verdict, const char *name);

/* The part of verdict.json described above that is the verdict's own; a new reference. */
json_t *verdict_to_json(const struct verdict *verdict);

#endif
