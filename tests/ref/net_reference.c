/* See net_reference.h. */
#include "tests/ref/net_reference.h"

#include <math.h>
#include <string.h>

struct view { /* one stamp's activation */
    double *value, *slope;
    int side, channels;
};

static size_t at(const struct view *view, int row, int column, int channel)
{
    return ((size_t)row * (size_t)view->side + (size_t)column) * (size_t)view->channels + (size_t)channel;
}

int reference_pad_before(int side, int kernel, int stride)
{
    int out = (int)ceil((double)side / stride);
    int total = (out - 1) * stride + kernel - side;
    return total > 0 ? total / 2 : 0;
}

/* Calls for every (output pixel, input pixel, window position) inside the image. */
struct walk {
    const struct model_layer *layer;
    struct view in, out;
    int row, column, from_row, from_column, window_row, window_column,
        inside; /* inside: input pixels of this window */
};

typedef void visit(struct walk *walk, void *context);

static bool move(struct walk *walk, int pad)
{
    int stride = walk->layer->stride_px;
    walk->from_row = walk->row * stride - pad + walk->window_row;
    walk->from_column = walk->column * stride - pad + walk->window_column;
    return walk->from_row >= 0 && walk->from_row < walk->in.side && walk->from_column >= 0 &&
           walk->from_column < walk->in.side;
}

static void walk_window(struct walk *walk, int pad, visit *each, void *context)
{
    int kernel = walk->layer->kernel_px;
    for (walk->window_row = 0; walk->window_row < kernel; walk->window_row++) {
        for (walk->window_column = 0; walk->window_column < kernel; walk->window_column++) {
            if (move(walk, pad))
                each(walk, context);
        }
    }
}

static void count_pixel(struct walk *walk, void *context)
{
    (void)context;
    walk->inside++;
}

static void walk_all(struct walk *walk, visit *each, void *context)
{
    const struct model_layer *layer = walk->layer;
    int pad = layer->valid ? 0 : reference_pad_before(walk->in.side, layer->kernel_px, layer->stride_px);
    for (walk->row = 0; walk->row < walk->out.side; walk->row++) {
        for (walk->column = 0; walk->column < walk->out.side; walk->column++) {
            walk->inside = 0;
            walk_window(walk, pad, count_pixel, NULL);
            walk_window(walk, pad, each, context);
        }
    }
}

struct weights {
    const double *weight;
    double *slope;
    bool backward;
};

static void visit_conv(struct walk *walk, void *context)
{
    struct weights *w = context;
    int kernel = walk->layer->kernel_px, inputs = walk->in.channels;
    for (int o = 0; o < walk->out.channels; o++) {
        for (int i = 0; i < inputs; i++) {
            size_t k =
                (((size_t)o * (size_t)inputs + (size_t)i) * (size_t)kernel + (size_t)walk->window_row) *
                    (size_t)kernel +
                (size_t)walk->window_column;
            size_t source = at(&walk->in, walk->from_row, walk->from_column, i),
                   target = at(&walk->out, walk->row, walk->column, o);
            if (!w->backward) {
                walk->out.value[target] += w->weight[k] * walk->in.value[source];
            } else {
                w->slope[k] += walk->out.slope[target] * walk->in.value[source];
                walk->in.slope[source] += walk->out.slope[target] * w->weight[k];
            }
        }
    }
}

static void visit_mean(struct walk *walk, void *context)
{
    bool backward = *(bool *)context;
    for (int c = 0; c < walk->in.channels; c++) {
        size_t source = at(&walk->in, walk->from_row, walk->from_column, c),
               target = at(&walk->out, walk->row, walk->column, c);
        if (!backward)
            walk->out.value[target] += walk->in.value[source] / walk->inside;
        else
            walk->in.slope[source] += walk->out.slope[target] / walk->inside;
    }
}

static void visit_maximum(struct walk *walk, void *context)
{
    bool backward = *(bool *)context;
    for (int c = 0; c < walk->in.channels; c++) {
        size_t source = at(&walk->in, walk->from_row, walk->from_column, c),
               target = at(&walk->out, walk->row, walk->column, c);
        if (!backward && walk->in.value[source] > walk->out.value[target])
            walk->out.value[target] = walk->in.value[source];
        if (backward && walk->in.value[source] == walk->out.value[target])
            walk->in.slope[source] += walk->out.slope[target];
    }
}

static void run_dense(struct walk *walk, struct weights *w)
{
    size_t inputs = (size_t)walk->in.side * (size_t)walk->in.side * (size_t)walk->in.channels;
    for (size_t o = 0; o < (size_t)walk->out.channels; o++) {
        for (size_t i = 0; i < inputs; i++) {
            if (!w->backward) {
                walk->out.value[o] += w->weight[o * inputs + i] * walk->in.value[i];
            } else {
                w->slope[o * inputs + i] += walk->out.slope[o] * walk->in.value[i];
                walk->in.slope[i] += walk->out.slope[o] * w->weight[o * inputs + i];
            }
        }
    }
}

static size_t size_of(const struct view *view)
{
    return (size_t)view->side * (size_t)view->side * (size_t)view->channels;
}

static void run_kind(struct walk *walk, struct weights *w)
{
    if (walk->layer->type == MODEL_CONV)
        walk_all(walk, visit_conv, w);
    else if (walk->layer->type == MODEL_AVGPOOL)
        walk_all(walk, visit_mean, &w->backward);
    else if (walk->layer->type == MODEL_MAXPOOL)
        walk_all(walk, visit_maximum, &w->backward);
    else
        run_dense(walk, w);
}

static void forward(struct walk *walk, const double *parameters)
{
    const struct model_layer *layer = walk->layer;
    struct weights w = {parameters + layer->weight, NULL, false};
    for (size_t i = 0; i < size_of(&walk->out); i++)
        walk->out.value[i] = layer->bias_count              ? parameters[layer->bias + i % layer->bias_count]
                             : layer->type == MODEL_MAXPOOL ? -INFINITY
                                                            : 0;
    run_kind(walk, &w);
    for (size_t i = 0; layer->relu && i < size_of(&walk->out); i++)
        walk->out.value[i] = walk->out.value[i] > 0 ? walk->out.value[i] : 0;
}

static void backward(struct walk *walk, const double *parameters, double *gradient)
{
    const struct model_layer *layer = walk->layer;
    struct weights w = {parameters + layer->weight, gradient + layer->weight, true};
    memset(walk->in.slope, 0, size_of(&walk->in) * sizeof(double));
    for (size_t i = 0; i < size_of(&walk->out); i++) {
        if (layer->relu && !(walk->out.value[i] > 0))
            walk->out.slope[i] = 0;
        if (layer->bias_count)
            gradient[layer->bias + i % layer->bias_count] += walk->out.slope[i];
    }
    run_kind(walk, &w);
}

static struct view make_view(struct model_shape shape)
{
    struct view view = {.side = shape.side_px, .channels = shape.channels};
    view.value = calloc(size_of(&view), sizeof(double));
    view.slope = calloc(size_of(&view), sizeof(double));
    return view;
}

static double start_backward(struct view *last, uint8_t label, double weight, double *logits)
{
    memcpy(logits, last->value, 2 * sizeof *logits);
    double margin = logits[1] - logits[0], fake = 1 / (1 + exp(-margin));
    last->slope[1] = weight * (fake - label);
    last->slope[0] = -last->slope[1];
    return -weight * log(label ? fake : 1 - fake);
}

double reference_run(const struct model *model, const double *parameters, const double *input,
                     const uint8_t *labels, int batch, double weight, double *logits, double *gradient,
                     double *input_gradient)
{
    struct view views[64] = {make_view(model->in)};
    int count = model->layer_count;
    size_t size = size_of(&views[0]);
    double loss = 0;
    for (int l = 0; l < count; l++)
        views[l + 1] = make_view(model->layers[l].out);
    memset(gradient, 0, model->parameter_count * sizeof *gradient);
    for (int n = 0; n < batch; n++) {
        memcpy(views[0].value, input + (size_t)n * size, size * sizeof *input);
        for (int l = 0; l < count; l++)
            forward(&(struct walk){.layer = &model->layers[l], .in = views[l], .out = views[l + 1]},
                    parameters);
        loss += start_backward(&views[count], labels[n], weight, logits + 2 * (size_t)n);
        for (int l = count - 1; l >= 0; l--)
            backward(&(struct walk){.layer = &model->layers[l], .in = views[l], .out = views[l + 1]},
                     parameters, gradient);
        memcpy(input_gradient + (size_t)n * size, views[0].slope, size * sizeof *input);
    }
    for (int l = 0; l <= count; l++) {
        free(views[l].value);
        free(views[l].slope);
    }
    return loss;
}
