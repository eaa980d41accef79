/* The two ends of a residual block. A fork hands its input on as it is and adds up the derivatives of its two
 * readers; an add sums what they made, with ReLU where the model asks for it, and hands its derivative to both. */
#include "daemon/worker/net/layer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct residual {
    struct layer *layer;
    size_t count; /* floats of all stamps */
};

static void fork_backward(void *context)
{
    const struct residual *residual = context;
    const float *a = residual->layer->diff_target, *b = residual->layer->diff_shortcut;
    float *restrict to = residual->layer->diff_source;
    for (size_t i = 0; i < residual->count; i++)
        to[i] = a[i] + b[i];
}

static void add_forward(void *context)
{
    const struct residual *residual = context;
    const float *a = residual->layer->source, *b = residual->layer->shortcut;
    float *restrict to = residual->layer->target;
    bool relu = residual->layer->model->relu;
    for (size_t i = 0; i < residual->count; i++) {
        float sum = a[i] + b[i];
        to[i] = relu && !(sum > 0) ? 0 : sum;
    }
}

static void add_backward(void *context)
{
    const struct residual *residual = context;
    const float *d = residual->layer->diff_target, *y = residual->layer->target;
    float *restrict left = residual->layer->diff_source, *restrict right = residual->layer->diff_shortcut;
    if (!residual->layer->model->relu) {
        memcpy(left, d, residual->count * sizeof *left);
        memcpy(right, d, residual->count * sizeof *right);
        return;
    }
    for (size_t i = 0; i < residual->count; i++) {
        float value = d[i]; /* read in any case: then the loop is one of vectors */
        left[i] = right[i] = y[i] > 0 ? value : 0;
    }
}

static struct residual *create(struct layer *layer, const struct layer_plan *plan, struct err *err)
{
    struct residual *residual = layer->own = calloc(1, sizeof *residual);
    if (!residual) {
        err_set(err, -ENOMEM, "out of memory for a residual block");
        return NULL;
    }
    residual->layer = layer;
    residual->count = (size_t)plan->batch * layer_count(layer->model->out);
    return residual;
}

int layer_create_fork(struct layer *layer, const struct layer_plan *plan, struct err *err)
{
    struct residual *residual = create(layer, plan, err);
    if (residual && plan->source_gradient)
        layer_call(&layer->backward, fork_backward, residual);
    return residual ? 0 : -ENOMEM;
}

int layer_create_add(struct layer *layer, const struct layer_plan *plan, struct err *err)
{
    struct residual *residual = create(layer, plan, err);
    if (!residual)
        return -ENOMEM;
    layer_call(&layer->forward, add_forward, residual);
    if (layer->diff_target)
        layer_call(&layer->backward, add_backward, residual);
    return 0;
}
