/* See optimiser.h. */
#include "daemon/worker/net/optimiser.h"

#include <math.h>

#define BETA1        0.9
#define BETA2        0.999
#define EPSILON      1e-8
#define LAMB_EPSILON 1e-6
#define CLIP_EPSILON 1e-6

const char *const OPTIMISER_RULES[OPTIMISER_RULE_MAX] = {"sgd", "adam", "adamw", "lamb"};

/* Numbers of one update, in float32 as the loops use them. */
struct factors {
    float scale, decay, beta1, rest1, beta2, rest2;
    float rate; /* of Adam: with the first moment's bias taken out */
    float root; /* what takes the bias out of sqrt(second) */
    float epsilon;
};

static struct factors factors_of(const struct optimiser *optimiser, double rate, double scale, int64_t step)
{
    return (struct factors){
        .scale = (float)scale,
        .decay = (float)optimiser->weight_decay,
        .beta1 = (float)BETA1,
        .rest1 = (float)(1 - BETA1),
        .beta2 = (float)BETA2,
        .rest2 = (float)(1 - BETA2),
        .rate = (float)(rate / (1 - pow(BETA1, (double)step))),
        .root = (float)(1 / sqrt(1 - pow(BETA2, (double)step))),
        .epsilon = (float)(optimiser->rule == OPTIMISER_LAMB ? LAMB_EPSILON : EPSILON),
    };
}

static void update_sgd(const struct optimiser_block *block, struct factors f, float momentum, float rate)
{
    float *restrict x = block->parameters, *restrict m = block->first;
    const float *restrict gradient = block->gradient;
    for (size_t i = 0; i < block->count; i++) {
        m[i] = momentum * m[i] + (f.scale * gradient[i] + f.decay * x[i]);
        x[i] -= rate * m[i];
    }
}

/* shrink: what x is multiplied by first; f.decay: what of x is added to the gradient. */
static void update_adam(const struct optimiser_block *block, struct factors f, float shrink)
{
    float *restrict x = block->parameters, *restrict m = block->first, *restrict v = block->second;
    const float *restrict gradient = block->gradient;
    for (size_t i = 0; i < block->count; i++) {
        float g = f.scale * gradient[i] + f.decay * x[i];
        m[i] = f.beta1 * m[i] + f.rest1 * g;
        v[i] = f.beta2 * v[i] + f.rest2 * g * g;
        x[i] = shrink * x[i] - f.rate * m[i] / (sqrtf(v[i]) * f.root + f.epsilon);
    }
}

/* u of a parameter, whose norm is wanted before any x is changed: it is worked out twice. f.rate is 1 over the
 * first moment's bias here. */
static float lamb_direction(const struct factors *f, float x, float m, float v)
{
    return f->rate * m / (sqrtf(v) * f->root + f->epsilon) + f->decay * x;
}

static void update_lamb(const struct optimiser_block *block, struct factors f, double rate)
{
    float *restrict x = block->parameters, *restrict m = block->first, *restrict v = block->second;
    const float *restrict gradient = block->gradient;
    double square = 0;
    for (size_t i = 0; i < block->count; i++) {
        float g = f.scale * gradient[i];
        m[i] = f.beta1 * m[i] + f.rest1 * g;
        v[i] = f.beta2 * v[i] + f.rest2 * g * g;
        double u = lamb_direction(&f, x[i], m[i], v[i]);
        square += u * u;
    }
    double weights = optimiser_norm(x, block->count), direction = sqrt(square);
    float stride = (float)(rate * (weights > 0 && direction > 0 ? weights / direction : 1));
    for (size_t i = 0; i < block->count; i++)
        x[i] -= stride * lamb_direction(&f, x[i], m[i], v[i]);
}

void optimiser_update(const struct optimiser *optimiser, const struct optimiser_block *block, double rate,
                      double scale, int64_t step)
{
    struct factors f = factors_of(optimiser, rate, scale, step);
    switch (optimiser->rule) {
    case OPTIMISER_SGD:
        update_sgd(block, f, (float)optimiser->momentum, (float)rate);
        return;
    case OPTIMISER_ADAM:
        update_adam(block, f, 1);
        return;
    case OPTIMISER_ADAMW:
        f.decay = 0;
        update_adam(block, f, (float)(1 - rate * optimiser->weight_decay));
        return;
    default:
        f.rate = (float)(1 / (1 - pow(BETA1, (double)step)));
        update_lamb(block, f, rate);
    }
}

double optimiser_norm(const float *values, size_t count)
{
    enum { LANES = 8 };
    double sums[LANES] = {0}, sum = 0;
    size_t whole = count - count % LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        for (int lane = 0; lane < LANES; lane++)
            sums[lane] += (double)values[i + (size_t)lane] * (double)values[i + (size_t)lane];
    }
    for (size_t i = whole; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    for (int lane = 0; lane < LANES; lane++)
        sum += sums[lane];
    return sqrt(sum);
}

double optimiser_clip_scale(double norm, double clip)
{
    double scale = clip / (norm + CLIP_EPSILON);
    return clip > 0 && scale < 1 ? scale : 1;
}
