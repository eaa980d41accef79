/* See statistics.h. */
#include "daemon/worker/audit/statistics.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double one = *(const double *)a, two = *(const double *)b;
    return one < two ? -1 : one > two;
}

void sort_values(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
}

size_t keep_finite(double *values, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(values[i]))
            values[kept++] = values[i];
    }
    return kept;
}

struct summary summarise(double *values, size_t count)
{
    struct summary summary = {keep_finite(values, count), NAN, NAN, NAN, NAN};
    const size_t n = summary.count, cut = n / 50;
    if (n < 2)
        return summary;
    sort_values(values, n);
    summary.low = values[cut];
    summary.high = values[n - cut - 1];
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += i < cut ? values[cut] : i >= n - cut ? values[n - cut - 1] : values[i];
    summary.mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) {
        double value = i < cut ? values[cut] : i >= n - cut ? values[n - cut - 1] : values[i];
        squares += (value - summary.mean) * (value - summary.mean);
    }
    summary.error = sqrt(squares / (double)(n - 1) / (double)n);
    return summary;
}

double ks_distance(double *a, size_t a_count, double *b, size_t b_count)
{
    if (a_count == 0 || b_count == 0)
        return NAN;
    sort_values(a, a_count);
    sort_values(b, b_count);
    double largest = 0;
    for (size_t i = 0, j = 0; i < a_count && j < b_count;) {
        double at = a[i] < b[j] ? a[i] : b[j];
        while (i < a_count && a[i] <= at)
            i++;
        while (j < b_count && b[j] <= at)
            j++;
        double gap = fabs((double)i / (double)a_count - (double)j / (double)b_count);
        largest = gap > largest ? gap : largest;
    }
    return largest;
}

static double effective(size_t a_count, size_t b_count)
{
    double a = (double)a_count, b = (double)b_count;
    return sqrt(a * b / (a + b));
}

double ks_probability(double distance, size_t a_count, size_t b_count)
{
    const double root = effective(a_count, b_count), lambda = (root + 0.12 + 0.11 / root) * distance;
    double sum = 0;
    if (lambda < 0.2)
        return 1;
    for (int k = 1; k <= 100; k++)
        sum += (k % 2 ? 2 : -2) * exp(-2 * lambda * lambda * k * k);
    return sum < 0 ? 0 : sum > 1 ? 1 : sum;
}

double ks_critical(double probability, size_t a_count, size_t b_count)
{
    const double root = effective(a_count, b_count);
    return sqrt(-0.5 * log(probability / 2)) / (root + 0.12 + 0.11 / root);
}
