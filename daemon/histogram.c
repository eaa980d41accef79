/* See histogram.h. */
#include "daemon/histogram.h"

const double HISTOGRAM_BOUND_S[HISTOGRAM_BOUNDS] = {0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                    0.025,   0.05,   0.1,   0.5,    2.5,   10};

void histogram_add(struct histogram *histogram, double seconds)
{
    size_t bucket = 0;
    while (bucket < HISTOGRAM_BOUNDS && seconds > HISTOGRAM_BOUND_S[bucket])
        bucket++;
    histogram->counts[bucket]++;
    histogram->sum_s += seconds;
}
