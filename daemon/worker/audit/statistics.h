/* The statistics of audit: two samples, are they of one kind? */
#ifndef DECOY_AUDIT_STATISTICS_H
#define DECOY_AUDIT_STATISTICS_H

#include <stddef.h>

struct summary {
    size_t count;
    double mean, error; /* NAN of fewer than two values */
    double low, high;   /* between which values were pulled */
};

/* Mean of the finite values, the lowest and highest 2 % of them pulled in (winsorised), and its standard
 * error. Sorts values. */
struct summary summarise(double *values, size_t count);

/* Two-sample Kolmogorov-Smirnov distance; NAN when a sample is empty. Sorts both; no value is NAN. */
double ks_distance(double *a, size_t a_count, double *b, size_t b_count);

/* Its p-value by the asymptotic distribution with Stephens' correction (Press et al., Numerical
 * Recipes, 14.3). */
double ks_probability(double distance, size_t a_count, size_t b_count);

/* The distance that chance exceeds with this probability. */
double ks_critical(double probability, size_t a_count, size_t b_count);

/* Moves the finite ones to the front, in their order; how many. */
size_t keep_finite(double *values, size_t count);

void sort_values(double *values, size_t count);

#endif
