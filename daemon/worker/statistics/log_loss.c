/* See log_loss.h. */
#include "daemon/worker/statistics/log_loss.h"
#include "common/cleanup.h"
#include "daemon/worker/statistics/auc.h"

#include <errno.h>
#include <float.h>
#include <math.h>

static double loss_of(double score, uint8_t label)
{
    double right = label ? score : 1 - score;
    return -log(fmin(fmax(right, DBL_EPSILON), 1 - DBL_EPSILON));
}

/* Variance of the mean from the sums of each cluster's deviations; 0 with too few clusters to tell. */
static int cluster_variance(const struct log_loss *loss, const double *score, const uint8_t *label,
                            const uint32_t *cluster, size_t clusters, size_t n, double *variance)
{
    CLEANUP(free_ptr) double *sums = calloc(clusters + 1, sizeof *sums);
    CLEANUP(free_ptr) uint8_t *seen = calloc(clusters + 1, 1);
    size_t used = 0;
    double squares = 0;
    *variance = 0;
    if (!sums || !seen)
        return -ENOMEM;
    for (size_t i = 0; cluster && i < n; i++) {
        used += !seen[cluster[i]];
        seen[cluster[i]] = 1;
        sums[cluster[i]] += loss_of(score[i], label[i]) - loss->value;
    }
    for (size_t i = 0; i < clusters; i++)
        squares += sums[i] * sums[i];
    if (used >= AUC_LEAST_CLUSTERS)
        *variance = squares / ((double)n * (double)n) * (double)used / (double)(used - 1);
    return 0;
}

int log_loss_measure(struct log_loss *loss, const double *score, const uint8_t *label,
                     const uint32_t *cluster, size_t clusters, size_t n, struct err *err)
{
    double squares = 0, clustered;
    *loss = (struct log_loss){0};
    if (n < 2)
        return err_set(err, -EINVAL, "%zu examples are too few for the error of a loss", n);
    for (size_t i = 0; i < n; i++)
        loss->value += loss_of(score[i], label[i]) / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += pow(loss_of(score[i], label[i]) - loss->value, 2);
    if (cluster_variance(loss, score, label, cluster, clusters, n, &clustered) != 0)
        return err_set(err, -ENOMEM, "out of memory for %zu scores", n);
    loss->standard_error = sqrt(fmax(squares / ((double)n * (double)(n - 1)), clustered));
    return 0;
}
