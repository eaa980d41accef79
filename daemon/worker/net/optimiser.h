/* Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1), and the learning rate over a run. Flat loops over
 * the parameter block; the same numbers on every rank. */
#ifndef DECOY_NET_OPTIMISER_H
#define DECOY_NET_OPTIMISER_H

#include <stddef.h>
#include <stdint.h>

/* One update, in place. first, second: the moments, zeros before step 1. step counts from 1. */
void adam_update(float *parameters, float *first, float *second, const float *gradient, size_t count,
                 double rate, int64_t step);

/* One-cycle (Smith & Topin 2018, arXiv:1708.07120), in half cosines: from highest/25 up to highest over the
 * first 30 % of the steps, then down to highest/250,000 at the last. step counts from 0; 0 <= step < steps.
 */
double rate_onecycle(double highest, int64_t step, int64_t steps);

#endif
