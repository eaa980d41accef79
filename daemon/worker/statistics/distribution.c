/* See distribution.h. Everything rests on the binomial mass in Loader's form (C. Loader 2000, "Fast and
 * accurate computation of binomial probabilities"): a sum of deviances, in which nothing large cancels. */
#include "daemon/worker/statistics/distribution.h"

#include <float.h>
#include <math.h>

double normal_upper_tail(double z)
{
    return 0.5 * erfc(z / M_SQRT2);
}

/* Where an increasing function of x in [low, high] passes p. */
static double invert(double (*cumulative)(double, double, double), double a, double b, double p, double low,
                     double high)
{
    for (int i = 0; i < 200 && high - low > DBL_EPSILON * fabs(low) * 2; i++) {
        double middle = 0.5 * (low + high);
        if (middle == low || middle == high)
            break;
        if (cumulative(middle, a, b) < p)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

static double normal_tail_below(double z, double unused_a, double unused_b)
{
    (void)unused_a, (void)unused_b;
    return normal_upper_tail(-z);
}

double normal_quantile(double p)
{
    return invert(normal_tail_below, 0, 0, p, -40, 40);
}

static double student_tail_below(double t, double freedom, double unused)
{
    (void)unused;
    double half = 0.5 * beta_regularized(freedom / (freedom + t * t), 0.5 * freedom, 0.5);
    return t > 0 ? 1 - half : half;
}

double student_quantile(double p, double freedom)
{
    return invert(student_tail_below, freedom, 0, p, -1e6, 1e6);
}

/* ln x! - (x ln x - x + ln(2 pi x) / 2): what Stirling's formula leaves out. */
static double stirling_error(double x)
{
    if (x < 16)
        return lgamma(x + 1) - (x + 0.5) * log(x) + x - 0.5 * log(2 * M_PI);
    double square = x * x;
    return (1.0 / 12 -
            (1.0 / 360 - (1.0 / 1260 - (1.0 / 1680 - 1.0 / 1188 / square) / square) / square) / square) /
           x;
}

/* x ln(x / mean) + mean - x without cancellation where x is near mean. */
static double deviance(double x, double mean)
{
    double difference = x - mean;
    if (fabs(difference) >= 0.1 * (x + mean))
        return x * log(x / mean) + mean - x;
    double ratio = difference / (x + mean), sum = difference * ratio, term = 2 * x * ratio;
    for (int i = 1; i < 1000; i++) {
        term *= ratio * ratio;
        double next = sum + term / (2 * i + 1);
        if (next == sum)
            break;
        sum = next;
    }
    return sum;
}

/* x^a (1-x)^b Gamma(a+b+1) / (Gamma(a+1) Gamma(b+1)) for real a, b >= 0: the binomial mass for whole ones. */
static double mass(double a, double b, double x, double y)
{
    double n = a + b;
    if (a == 0 || b == 0)
        return a == 0 ? (b == 0 ? 1 : exp(b * (x < 0.5 ? log1p(-x) : log(y))))
                      : exp(a * (y < 0.5 ? log1p(-y) : log(x)));
    double exponent =
        stirling_error(n) - stirling_error(a) - stirling_error(b) - deviance(a, n * x) - deviance(b, n * y);
    return exp(exponent) * sqrt(n / (2 * M_PI * a * b));
}

/* The continued fraction by Lentz's method; it converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double x, double a, double b)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double product = d;
    for (int m = 1; m < 10000000; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double step = 1;
        for (int i = 0; i < 2; i++) {
            double term = i ? odd : even;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            step = c * d;
            product *= step;
        }
        if (fabs(step - 1) < 4 * DBL_EPSILON)
            break;
    }
    return product;
}

double beta_regularized(double x, double a, double b)
{
    if (x <= 0 || x >= 1)
        return x <= 0 ? 0 : 1;
    /* x^a (1-x)^b / (a B(a, b)) = mass(a, b) b / (a + b) */
    if (x < (a + 1) / (a + b + 2))
        return mass(a, b, x, 1 - x) * b / (a + b) * beta_fraction(x, a, b);
    return 1 - mass(b, a, 1 - x, x) * a / (a + b) * beta_fraction(1 - x, b, a);
}

double binomial_mass(long k, long n, double p)
{
    if (k < 0 || k > n)
        return 0;
    if (p <= 0 || p >= 1)
        return (p <= 0 ? k == 0 : k == n) ? 1 : 0;
    return mass((double)k, (double)(n - k), p, 1 - p);
}

double binomial_upper_tail(long k, long n, double p)
{
    if (k <= 0 || k > n)
        return k <= 0 ? 1 : 0;
    return beta_regularized(p, (double)k, (double)(n - k + 1));
}

void binomial_interval(long k, long n, double confidence, double *low, double *high)
{
    double tail = 0.5 * (1 - confidence);
    *low = k > 0 ? invert(beta_regularized, (double)k, (double)(n - k + 1), tail, 0, 1) : 0;
    *high = k < n ? invert(beta_regularized, (double)(k + 1), (double)(n - k), 1 - tail, 0, 1) : 1;
}

/* P(A = a) of the hypergeometric distribution with the margins of the table, from three binomial masses. */
static double fisher_mass(long a, long b, long c, long d)
{
    long n = a + b + c + d;
    double share = (double)(a + c) / (double)n;
    if (share <= 0 || share >= 1)
        return 1;
    return binomial_mass(a, a + b, share) * binomial_mass(c, c + d, share) / binomial_mass(a + c, n, share);
}

/* The masses from this table on towards larger a, or (towards = -1) smaller ones, by their ratios. */
static double fisher_sum(double a, double b, double c, double d, int towards)
{
    double term = fisher_mass((long)a, (long)b, (long)c, (long)d), sum = 0;
    while (term > 0) {
        double before = sum;
        sum += term;
        term *= towards > 0 ? b * c / ((a + 1) * (d + 1)) : a * d / ((b + 1) * (c + 1));
        a += towards, d += towards, b -= towards, c -= towards;
        if (sum == before)
            break;
    }
    return sum;
}

double fisher_upper_tail(long a, long b, long c, long d)
{
    if (a + b == 0 || c + d == 0 || a + c == 0 || b + d == 0)
        return 1;
    double mean = (double)(a + b) * (double)(a + c) / (double)(a + b + c + d);
    if ((double)a > mean) /* away from the mean the masses only fall */
        return fmin(1, fisher_sum((double)a, (double)b, (double)c, (double)d, 1));
    if (a == 0 || d == 0)
        return 1;
    return fmax(0, 1 - fisher_sum((double)a - 1, (double)b + 1, (double)c + 1, (double)d - 1, -1));
}
