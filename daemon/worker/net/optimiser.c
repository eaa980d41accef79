/* See optimiser.h. */
#include "daemon/worker/net/optimiser.h"

#include <math.h>

#define BETA1   0.9
#define BETA2   0.999
#define EPSILON 1e-8

#define WARM_UP       0.3
#define FIRST_DIVISOR 25.0
#define LAST_DIVISOR  250000.0

void adam_update(float *restrict parameters, float *restrict first, float *restrict second,
                 const float *restrict gradient, size_t count, double rate, int64_t step)
{
    const float beta1 = (float)BETA1, beta2 = (float)BETA2, rest1 = (float)(1 - BETA1),
                rest2 = (float)(1 - BETA2);
    const float scale = (float)(rate / (1 - pow(BETA1, (double)step)));
    const float root = (float)(1 / sqrt(1 - pow(BETA2, (double)step))), epsilon = (float)EPSILON;
    for (size_t i = 0; i < count; i++) {
        first[i] = beta1 * first[i] + rest1 * gradient[i];
        second[i] = beta2 * second[i] + rest2 * gradient[i] * gradient[i];
        parameters[i] -= scale * first[i] / (sqrtf(second[i]) * root + epsilon);
    }
}

static double half_cosine(double from, double to, double fraction)
{
    return to + (from - to) * 0.5 * (1 + cos(M_PI * fraction));
}

double rate_onecycle(double highest, int64_t step, int64_t steps)
{
    double last = steps > 1 ? (double)(steps - 1) : 1;
    double turn = WARM_UP * last, now = (double)step;
    if (now < turn)
        return half_cosine(highest / FIRST_DIVISOR, highest, now / turn);
    return half_cosine(highest, highest / LAST_DIVISOR, (now - turn) / (last - turn));
}
