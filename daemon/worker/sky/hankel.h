/* Hankel transforms of order 0 on logarithmic grids (FFTLog: Hamilton 2000, MNRAS 312, 257, appendix B):
 *
 *   out(k) = integral of f(r) J0(k r) r dr,   r and k each HANKEL_POINTS values e^(-25.6 + 0.05 j)
 *
 * Meant for f that decays faster than any power: neither end of the grid may matter. */
#ifndef DECOY_SKY_HANKEL_H
#define DECOY_SKY_HANKEL_H

#include "common/cleanup.h"
#include "common/err.h"

enum { HANKEL_POINTS = 1024 };
#define HANKEL_STEP 0.05

struct hankel;

int hankel_create(struct hankel **out, struct err *err);
void hankel_destroy(struct hankel *hankel);
CLEANUP_DEFINE(hankel_destroy_ptr, struct hankel, hankel_destroy)

/* r (or k) of a grid point. */
double hankel_grid(int point);

/* f and out have HANKEL_POINTS values; out may be f. Relative accuracy 1e-9 for k in 1e-4 .. where out has
 * fallen to 1e-9 of its greatest value. */
void hankel_transform(struct hankel *hankel, const double *f, double *out);

#endif
