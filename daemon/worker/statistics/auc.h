/* Area under the ROC curve: the probability that a fake gets a higher score than a real one, ties counted
 * half. */
#ifndef DECOY_STATISTICS_AUC_H
#define DECOY_STATISTICS_AUC_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fewer clusters than this say nothing reliable about how much stamps of one brick resemble one another. */
enum { AUC_LEAST_CLUSTERS = 10 };

struct auc {
    size_t fakes, reals;
    size_t clusters; /* that hold an example; 0 without */
    bool constant;   /* all scores are equal: value is 0.5 and says nothing */
    double value;
    double variance;         /* DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44, 837 */
    double null_variance;    /* Mann-Whitney, ties corrected: (n1 + n0 + 1) / (12 n1 n0) without ties */
    double cluster_variance; /* Obuchowski 1997, Biometrics 53, 567; 0 below AUC_LEAST_CLUSTERS clusters */
};

/* label: 1 fake, 0 real. cluster: which brick each example is of, 0 .. clusters-1 (NULL: none). Takes
 * O(n log n). -EINVAL when a class has fewer than two examples or a score is not finite. */
int auc_measure(struct auc *auc, const double *score, const uint8_t *label, const uint32_t *cluster,
                size_t clusters, size_t n, struct err *err);

/* The larger of DeLong's variance and the clustered one, and that over DeLong's (at least 1). */
double auc_safe_variance(const struct auc *auc);
double auc_design_effect(const struct auc *auc);

/* value +- quantile x sqrt(safe variance), within [0, 1]; Student's t with clusters-1 degrees of freedom
 * where the clusters count. Where every fake is above every real one (or below) that width is 0: then the
 * exact interval of min(n1, n0) disjoint pairs that all came out alike. */
void auc_interval(const struct auc *auc, double confidence, double *low, double *high);

/* One-sided limits at `confidence`. */
double auc_upper_limit(const struct auc *auc, double confidence);
double auc_lower_limit(const struct auc *auc, double confidence);

/* P(AUC this large or larger) when both classes are alike: z by the Mann-Whitney null variance times the
 * design effect. above = false: this small or smaller. */
double auc_null_tail(const struct auc *auc, bool above);

/* Points of the ROC curve, from (0, 0) to (1, 1), at most `most` of them (at least 2). false_rate: reals
 * called fake, true_rate: fakes called fake. Returns how many. 0 without memory. */
size_t auc_curve(const double *score, const uint8_t *label, size_t n, double *false_rate, double *true_rate,
                 size_t most);

#endif
