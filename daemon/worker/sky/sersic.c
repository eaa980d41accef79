/* See sersic.h. The transform of a Sersic profile has no closed form but for n = 1/2 and n = 1; FFTLog gives
 * all wave numbers at once in some 50 microseconds, so that every galaxy gets the transform of its own n. */
#include "daemon/worker/sky/sersic.h"

#include <math.h>
#include <stdbool.h>

/* Below it the transform is 1 to within 1e-5 for all n; above it all are below 1e-6. */
#define LOG_K_MIN -7.0
#define LOG_K_MAX 9.0

double sersic_b(double n)
{
    double m = 1 / n;
    return 2 * n - 1.0 / 3 +
           m * (4.0 / 405 + m * (46.0 / 25515 + m * (131.0 / 1148175 - m * 2194697.0 / 30690717750)));
}

double sersic_brightness(double n, double r)
{
    double b = sersic_b(n);
    return exp(2 * n * log(b) - lgamma(2 * n) - b * pow(r, 1 / n)) / (2 * M_PI * n);
}

/* The regularised incomplete Gamma function Q(2n, b r^(1/n)), by the series of its complement. */
static double flux_outside(double n, double r)
{
    double a = 2 * n, x = sersic_b(n) * pow(r, 1 / n), inside = 0;
    if (x > 100)
        return 0;
    double term = exp(a * log(x) - x - lgamma(a + 1));
    for (int i = 1; i < x || term > 1e-10; i++) {
        inside += term;
        term *= x / (a + i);
    }
    return 1 - inside;
}

double sersic_radius(double n, double outside)
{
    double low = 0.01, high = 1000;
    while (high / low > 1.03) {
        double middle = sqrt(low * high);
        if (flux_outside(n, middle) > outside)
            low = middle;
        else
            high = middle;
    }
    return sqrt(low * high);
}

void sersic_transform_fill(struct sersic_transform *transform, struct hankel *hankel, double n)
{
    double profile[HANKEL_POINTS], b = sersic_b(n);
    double scale = exp(2 * n * log(b) - lgamma(2 * n)) / n; /* times 1 / (2 pi), and 2 pi of the integral */
    for (int j = 0; j < HANKEL_POINTS; j++)
        profile[j] = scale * exp(-b * pow(hankel_grid(j), 1 / n));
    hankel_transform(hankel, profile, transform->values);
    transform->n = n;
}

double sersic_transform_at(const struct sersic_transform *transform, double log_k2)
{
    double log_k = 0.5 * log_k2;
    if (!(log_k > LOG_K_MIN))
        return 1;
    if (log_k > LOG_K_MAX)
        return 0;
    double at = log_k / HANKEL_STEP + HANKEL_POINTS / 2;
    int i = (int)at;
    double t = at - i;
    const double *v = &transform->values[i - 1]; /* Lagrange's cubic through four points */
    double left = t + 1, right = t - 1, far = t - 2;
    return (-t * right * far * v[0] + left * t * right * v[3]) / 6 +
           0.5 * left * (right * far * v[1] - t * far * v[2]);
}
