/* Dropout (Srivastava et al. 2014): a training pass sets each value to 0 with probability `rate` and divides the
 * others by 1 - rate; a scoring pass changes nothing. What is dropped is a function of (seed, step, place of the
 * stamp in the batch, layer). */
#include "common/rng.h"
#include "daemon/worker/net/layer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_DROPOUT = 0x64726f70 };

struct dropout {
    struct layer *layer;
    const struct network_pass *pass;
    size_t stamp, all; /* floats of one, of all */
    uint32_t stream;
    float *factor; /* 0 or 1 / (1 - rate) */
};

static void draw(const struct dropout *dropout)
{
    const struct network_pass *pass = dropout->pass;
    double rate = dropout->layer->model->rate;
    uint32_t limit = (uint32_t)(rate * 4294967296.0);
    float kept = (float)(1 / (1 - rate));
    for (int n = 0; n < pass->rows; n++) {
        struct rng rng;
        float *factor = dropout->factor + (size_t)n * dropout->stamp;
        rng_init(&rng, pass->seed, dropout->stream,
                 ((uint64_t)pass->step << 20) + (uint64_t)(pass->first + n));
        for (size_t i = 0; i < dropout->stamp; i++)
            factor[i] = rng_u32(&rng) < limit ? 0 : kept;
    }
}

static void multiply(const struct dropout *dropout, const float *from, float *to)
{
    if (!dropout->pass->train) {
        memcpy(to, from, dropout->all * sizeof *to);
        return;
    }
    for (size_t i = 0; i < dropout->all; i++)
        to[i] = from[i] * dropout->factor[i];
}

static void forward(void *context)
{
    const struct dropout *dropout = context;
    if (dropout->pass->train)
        draw(dropout);
    multiply(dropout, dropout->layer->source, dropout->layer->target);
}

static void backward(void *context)
{
    const struct dropout *dropout = context;
    multiply(dropout, dropout->layer->diff_target, dropout->layer->diff_source);
}

int layer_create_dropout(struct layer *layer, const struct layer_plan *plan, struct err *err)
{
    struct dropout *dropout = layer->own = calloc(1, sizeof *dropout);
    if (!dropout)
        return err_set(err, -ENOMEM, "out of memory for a dropout");
    dropout->layer = layer;
    dropout->pass = plan->pass;
    dropout->stamp = layer_count(layer->model->in);
    dropout->all = dropout->stamp * (size_t)plan->batch;
    dropout->stream = STREAM_DROPOUT + (uint32_t)plan->index;
    dropout->factor = layer_buffer(layer, dropout->all * sizeof(float), err);
    if (!dropout->factor)
        return -ENOMEM;
    layer_call(&layer->forward, forward, dropout);
    if (plan->source_gradient)
        layer_call(&layer->backward, backward, dropout);
    return 0;
}
