/* Times sorted into buckets, as Prometheus counts them. All zero is an empty one. */
#ifndef DECOY_DAEMON_HISTOGRAM_H
#define DECOY_DAEMON_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BOUNDS = 12 };

extern const double HISTOGRAM_BOUND_S[HISTOGRAM_BOUNDS]; /* from 0.25 ms to 10 s */

struct histogram {
    int64_t counts[HISTOGRAM_BOUNDS +
                   1]; /* of times up to a bound and above the one before; the last has no bound */
    double sum_s;
};

void histogram_add(struct histogram *histogram, double seconds);

#endif
