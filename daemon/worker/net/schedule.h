/* The learning rate over a run. warm_up is the share of the run's steps in which it rises.
 *
 *   constant  the highest rate
 *   onecycle  in half cosines from highest/25 up to highest, reached warm_up x steps - 1 steps after the first,
 *             then down to highest/250,000 at the last (Smith & Topin 2018, arXiv:1708.07120, as PyTorch's
 *             OneCycleLR)
 *   step      highest x factor^(how often `every` steps have passed)
 *   cosine    after the warm-up, a half cosine from highest towards 0 (Loshchilov & Hutter 2017,
 *             arXiv:1608.03983, without restarts)
 *
 * All but onecycle rise in a straight line over the warm-up: step k of W warm-up steps, from 0, has
 * (k + 1) / W of what the schedule says. */
#ifndef DECOY_NET_SCHEDULE_H
#define DECOY_NET_SCHEDULE_H

#include <stdint.h>

enum schedule_rule {
    SCHEDULE_CONSTANT,
    SCHEDULE_ONECYCLE,
    SCHEDULE_STEP,
    SCHEDULE_COSINE,
    SCHEDULE_RULE_MAX
};

extern const char *const SCHEDULE_RULES[SCHEDULE_RULE_MAX]; /* "constant", ... */

struct schedule {
    enum schedule_rule rule;
    double highest;
    double warm_up; /* 0 .. 1 */
    int64_t steps;  /* of the whole run */
    int64_t every;  /* of step */
    double factor;
};

/* The rate of the step after `step` steps; 0 <= step < steps. */
double schedule_rate(const struct schedule *schedule, int64_t step);

#endif
