/* See compare.h. The error with bricks as units is the sandwich estimate: the sum over bricks of the square of their
 * stamps' share in the difference (Liang & Zeger 1986, Biometrika 73, 13), times n / (n - 1). */
#include "daemon/worker/audit/compare.h"
#include "daemon/worker/audit/statistics.h"
#include "daemon/worker/statistics/auc.h"
#include "daemon/worker/statistics/distribution.h"

#include <errno.h>
#include <math.h>

static double clip(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

/* 0 where bricks are not known or too few. */
static double brick_variance(const struct audit *audit, const double *values,
                             const struct summary summaries[2])
{
    CLEANUP(free_ptr) double *shares = calloc(audit->brick_count + 1, sizeof *shares);
    double sum = 0;
    if (!audit->bricks || audit->brick_count < AUC_LEAST_CLUSTERS || !shares)
        return 0;
    for (size_t i = 0; i < audit->count; i++) {
        const struct summary *of = &summaries[audit->labels[i]];
        if (isfinite(values[i]))
            shares[audit->bricks[i]] += (audit->labels[i] ? 1 : -1) *
                                        (clip(values[i], of->low, of->high) - of->mean) / (double)of->count;
    }
    for (size_t b = 0; b < audit->brick_count; b++)
        sum += shares[b] * shares[b];
    return sum * (double)audit->brick_count / (double)(audit->brick_count - 1);
}

int compare_values(const struct audit *audit, const double *values, struct difference *difference,
                   struct err *err)
{
    CLEANUP(free_ptr) double *some = calloc(audit->count + 1, sizeof *some);
    struct summary summaries[2];
    double variance = 0;
    if (!some)
        return err_set(err, -ENOMEM, "the measures of %zu stamps do not fit in memory", audit->count);
    for (int label = 0; label < 2; label++) {
        size_t count = 0;
        for (size_t i = 0; i < audit->count; i++) {
            if (audit->labels[i] == label)
                some[count++] = values[i];
        }
        summaries[label] = summarise(some, count);
        difference->mean[label] = summaries[label].mean;
        difference->counts[label] = summaries[label].count;
        variance += summaries[label].error * summaries[label].error;
    }
    const double clustered = isfinite(variance) ? brick_variance(audit, values, summaries) : 0;
    difference->effect = variance > 0 && clustered > variance ? clustered / variance : 1;
    difference->value = difference->mean[1] - difference->mean[0];
    difference->error = sqrt(variance * difference->effect);
    return 0;
}

int compare_classes(const struct audit *audit, quantity *of, int which, struct difference *difference,
                    struct err *err)
{
    CLEANUP(free_ptr) double *values = calloc(audit->count + 1, sizeof *values);
    if (!values)
        return err_set(err, -ENOMEM, "the measures of %zu stamps do not fit in memory", audit->count);
    for (size_t i = 0; i < audit->count; i++)
        values[i] = of(audit, i, which);
    return compare_values(audit, values, difference, err);
}

static double threshold_of(const struct audit *audit, const struct difference *difference, double least)
{
    return fmax(least, audit->errors * difference->error);
}

size_t compare_worst(const struct audit *audit, const struct difference *differences, size_t count,
                     double least)
{
    size_t worst = 0;
    double ratio = -1;
    for (size_t i = 0; i < count; i++) {
        const double here = fabs(differences[i].value) / threshold_of(audit, &differences[i], least);
        if (here > ratio) {
            ratio = here;
            worst = i;
        }
    }
    return worst;
}

struct check compare_check(const struct audit *audit, const char *name, const char *unit,
                           const struct difference *difference, int of, double least)
{
    const double threshold = threshold_of(audit, difference, least), value = fabs(difference->value);
    return (struct check){
        .name = name,
        .unit = unit,
        .value = value,
        .error = difference->error,
        .p = difference->error > 0 ? fmin(1, 2 * of * normal_upper_tail(value / difference->error)) : NAN,
        .threshold = isfinite(threshold) ? threshold : least,
        .plotted = true};
}
