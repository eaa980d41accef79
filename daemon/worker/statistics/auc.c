/* See auc.h. One sort by score; then, for a run of equal scores with f fakes and r reals that has F fakes and
 * R reals below it, a fake's structural component is (R + r/2) / n0 and a real one's is 1 - (F + f/2) / n1:
 * what Sun & Xu 2014 (IEEE Signal Process. Lett. 21, 1389) get from midranks. */
#include "daemon/worker/statistics/auc.h"
#include "common/cleanup.h"
#include "daemon/worker/statistics/distribution.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static int compare_scores(const void *left, const void *right, void *scores)
{
    const double *score = scores;
    double a = score[*(const size_t *)left], b = score[*(const size_t *)right];
    return (a > b) - (a < b);
}

static size_t *order_by_score(const double *score, size_t n)
{
    size_t *order = malloc((n ? n : 1) * sizeof *order);
    for (size_t i = 0; order && i < n; i++)
        order[i] = i;
    if (order)
        qsort_r(order, n, sizeof *order, compare_scores, (void *)score);
    return order;
}

/* Fills component[i] for every example; returns the sum of t^3 - t over runs of t equal scores. */
static double fill_components(const struct auc *auc, const double *score, const uint8_t *label,
                              const size_t *order, size_t n, double *component)
{
    double fakes_below = 0, reals_below = 0, ties = 0;
    for (size_t i = 0, end; i < n; i = end) {
        double fakes = 0, reals = 0;
        for (end = i; end < n && score[order[end]] == score[order[i]]; end++)
            *(label[order[end]] ? &fakes : &reals) += 1;
        for (size_t j = i; j < end; j++)
            component[order[j]] = label[order[j]] ? (reals_below + 0.5 * reals) / (double)auc->reals
                                                  : 1 - (fakes_below + 0.5 * fakes) / (double)auc->fakes;
        fakes_below += fakes;
        reals_below += reals;
        double t = (double)(end - i);
        ties += t * t * t - t;
    }
    return ties;
}

static void sum_variances(struct auc *auc, const uint8_t *label, const double *component, double ties,
                          size_t n)
{
    double n1 = (double)auc->fakes, n0 = (double)auc->reals, all = n1 + n0, sum = 0, fakes = 0, reals = 0;
    for (size_t i = 0; i < n; i++)
        sum += label[i] ? component[i] : 0;
    auc->value = sum / n1;
    for (size_t i = 0; i < n; i++) {
        double off = component[i] - auc->value;
        *(label[i] ? &fakes : &reals) += off * off;
    }
    auc->variance = fakes / (n1 * (n1 - 1)) + reals / (n0 * (n0 - 1));
    auc->null_variance = (all + 1 - ties / (all * (all - 1))) / (12 * n1 * n0);
}

static int count_clusters(struct auc *auc, const uint32_t *cluster, size_t clusters, size_t n)
{
    CLEANUP(free_ptr) uint8_t *seen = calloc(clusters ? clusters : 1, 1);
    if (!seen)
        return -ENOMEM;
    for (size_t i = 0; cluster && i < n; i++) {
        auc->clusters += !seen[cluster[i]];
        seen[cluster[i]] = 1;
    }
    return 0;
}

/* The influence of an example on the AUC is (component - AUC) / (size of its class); those of a cluster add
 * up before they are squared. */
static int sum_clusters(struct auc *auc, const uint8_t *label, const uint32_t *cluster, size_t clusters,
                        const double *component, size_t n)
{
    if (auc->clusters < AUC_LEAST_CLUSTERS)
        return 0;
    CLEANUP(free_ptr) double *sums = calloc(clusters, sizeof *sums);
    if (!sums)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        sums[cluster[i]] += (component[i] - auc->value) / (double)(label[i] ? auc->fakes : auc->reals);
    for (size_t i = 0; i < clusters; i++)
        auc->cluster_variance += sums[i] * sums[i];
    auc->cluster_variance *= (double)auc->clusters / (double)(auc->clusters - 1);
    return 0;
}

static int count_classes(struct auc *auc, const double *score, const uint8_t *label, size_t n,
                         struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(score[i]))
            return err_set(err, -EINVAL, "the score of example %zu is not a finite number", i);
        *(label[i] ? &auc->fakes : &auc->reals) += 1;
    }
    if (auc->fakes < 2 || auc->reals < 2)
        return err_set(err, -EINVAL,
                       "%zu fake and %zu real examples are too few to compare: at least 2 of each are needed",
                       auc->fakes, auc->reals);
    return 0;
}

int auc_measure(struct auc *auc, const double *score, const uint8_t *label, const uint32_t *cluster,
                size_t clusters, size_t n, struct err *err)
{
    *auc = (struct auc){0};
    int code = count_classes(auc, score, label, n, err);
    if (code)
        return code;
    CLEANUP(free_ptr) size_t *order = order_by_score(score, n);
    CLEANUP(free_ptr) double *component = malloc(n * sizeof *component);
    if (!order || !component)
        return err_set(err, -ENOMEM, "out of memory for %zu scores", n);
    auc->constant = score[order[0]] == score[order[n - 1]];
    double ties = fill_components(auc, score, label, order, n, component);
    sum_variances(auc, label, component, ties, n);
    if (count_clusters(auc, cluster, clusters, n) ||
        sum_clusters(auc, label, cluster, clusters, component, n))
        return err_set(err, -ENOMEM, "out of memory for %zu scores", n);
    return 0;
}

double auc_safe_variance(const struct auc *auc)
{
    return fmax(auc->variance, auc->cluster_variance);
}

double auc_design_effect(const struct auc *auc)
{
    return auc->variance > 0 ? auc_safe_variance(auc) / auc->variance : 1;
}

static double quantile(const struct auc *auc, double p)
{
    if (auc->clusters >= AUC_LEAST_CLUSTERS)
        return student_quantile(p, (double)(auc->clusters - 1));
    return normal_quantile(p);
}

/* tail: probability left out on each side. */
static void limits(const struct auc *auc, double tail, double *low, double *high)
{
    double half = quantile(auc, 1 - tail) * sqrt(auc_safe_variance(auc));
    *low = fmax(0, auc->value - half);
    *high = fmin(1, auc->value + half);
    long pairs = (long)(auc->fakes < auc->reals ? auc->fakes : auc->reals);
    if (auc->variance == 0 && (auc->value == 0 || auc->value == 1))
        binomial_interval(auc->value == 1 ? pairs : 0, pairs, 1 - 2 * tail, low, high);
}

void auc_interval(const struct auc *auc, double confidence, double *low, double *high)
{
    limits(auc, 0.5 * (1 - confidence), low, high);
}

double auc_upper_limit(const struct auc *auc, double confidence)
{
    double low, high;
    limits(auc, 1 - confidence, &low, &high);
    return high;
}

double auc_lower_limit(const struct auc *auc, double confidence)
{
    double low, high;
    limits(auc, 1 - confidence, &low, &high);
    return low;
}

double auc_null_tail(const struct auc *auc, bool above)
{
    double variance = auc->null_variance * auc_design_effect(auc);
    if (auc->constant || !(variance > 0))
        return 1;
    double z = (auc->value - 0.5) / sqrt(variance);
    return normal_upper_tail(above ? z : -z);
}

size_t auc_curve(const double *score, const uint8_t *label, size_t n, double *false_rate, double *true_rate,
                 size_t most)
{
    CLEANUP(free_ptr) size_t *order = order_by_score(score, n);
    size_t fakes = 0, reals = 0, count = 0, f = 0, r = 0;
    if (!order)
        return 0;
    for (size_t i = 0; i < n; i++)
        *(label[i] ? &fakes : &reals) += 1;
    false_rate[count] = true_rate[count] = 0;
    count++;
    for (size_t i = n; i-- > 0;) {
        *(label[order[i]] ? &f : &r) += 1;
        bool last_of_run = i == 0 || score[order[i - 1]] != score[order[i]];
        /* the count-th of most-2 even steps over the examples, whole runs of equal scores at a time */
        if (i > 0 && (!last_of_run || (double)(n - i) * (double)(most - 2) < (double)count * (double)n))
            continue;
        false_rate[count] = reals ? (double)r / (double)reals : 0;
        true_rate[count] = fakes ? (double)f / (double)fakes : 0;
        count++;
    }
    return count;
}
