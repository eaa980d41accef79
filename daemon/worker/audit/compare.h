/* Two classes by the means of one value a stamp. */
#ifndef DECOY_AUDIT_COMPARE_H
#define DECOY_AUDIT_COMPARE_H

#include "daemon/worker/audit/audit.h"

/* A quantity of every stamp, or NAN; which: its band or axis. */
typedef double quantity(const struct audit *audit, size_t stamp, int which);

/* fake - real, and its error. counts: how many stamps had a value. */
struct difference {
    double value, error, mean[2];
    double effect; /* variance with whole bricks as units over that of independent stamps, at least 1 */
    size_t counts[2];
};

/* Means are winsorised (summarise). */
int compare_values(const struct audit *audit, const double *values, struct difference *difference,
                   struct err *err);
int compare_classes(const struct audit *audit, quantity *of, int which, struct difference *difference,
                    struct err *err);

/* The one of `count` differences that exceeds its threshold most. */
size_t compare_worst(const struct audit *audit, const struct difference *differences, size_t count,
                     double least);

/* The check of a difference, the worst of `of`; least: what matters to a network. Its p is of the worst of so many. */
struct check compare_check(const struct audit *audit, const char *name, const char *unit,
                           const struct difference *difference, int of, double least);

#endif
