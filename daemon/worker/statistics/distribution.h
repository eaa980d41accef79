/* Tails and quantiles of the distributions behind a verdict. Pure functions of doubles, no state, no errors:
 * arguments outside their domain are the caller's mistake. Relative accuracy about 1e-11 up to n of 1e8. */
#ifndef DECOY_STATISTICS_DISTRIBUTION_H
#define DECOY_STATISTICS_DISTRIBUTION_H

double normal_upper_tail(double z);                /* P(Z >= z) */
double normal_quantile(double p);                  /* z with P(Z <= z) = p, 0 < p < 1 */
double student_quantile(double p, double freedom); /* likewise for Student's t */

/* Regularised incomplete beta I_x(a, b), 0 <= x <= 1; a, b > 0. Continued fraction DLMF 8.17.22. */
double beta_regularized(double x, double a, double b);

/* P(K = k) and P(K >= k) for K ~ Binomial(n, p). */
double binomial_mass(long k, long n, double p);
double binomial_upper_tail(long k, long n, double p);

/* Exact two-sided interval for p after k of n (Clopper & Pearson 1934, Biometrika 26, 404). */
void binomial_interval(long k, long n, double confidence, double *low, double *high);

/* Fisher's exact one-sided test of the table with rows (a, b) and (c, d): the probability, over all ways to
 * deal out the labels, of at least a in its corner. */
double fisher_upper_tail(long a, long b, long c, long d);

#endif
