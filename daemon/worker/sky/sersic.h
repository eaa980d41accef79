/* Sersic profiles I(r) ~ exp(-b r^(1/n)) of unit flux and unit half-light radius, 0.5 <= n <= 6 (the range
 * that Tractor fits). b(n) by Ciotti & Bertin 1999, A&A 352, 447, eq. 18 (relative error 4e-4 at n = 0.5,
 * below 1e-5 from n = 1). */
#ifndef DECOY_SKY_SERSIC_H
#define DECOY_SKY_SERSIC_H

#include "daemon/worker/sky/hankel.h"

#define SERSIC_N_MIN 0.5
#define SERSIC_N_MAX 6.0

double sersic_b(double n);

/* Surface brightness at r. */
double sersic_brightness(double n, double r);

/* Radius outside of which the fraction `outside` of the flux lies (0.5 gives 1); within 3 %. */
double sersic_radius(double n, double outside);

/* The Fourier transform of one n, tabulated over ln k. */
struct sersic_transform {
    double n;
    double values[HANKEL_POINTS];
};

void sersic_transform_fill(struct sersic_transform *transform, struct hankel *hankel, double n);

/* At wave number k = e^(0.5 log_k2), in radians a half-light radius; 1 for k to 0. Absolute error below 1e-5.
 */
double sersic_transform_at(const struct sersic_transform *transform, double log_k2);

#endif
