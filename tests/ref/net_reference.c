/* See net_reference.h. */
#include "tests/ref/net_reference.h"

#include "common/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct view { /* an activation, of one stamp or of all */
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

/* One pass over a batch. */
struct reference {
    const struct model *model;
    struct network_pass pass;
    const double *parameters;
    double *gradient;
    struct view *views; /* the input, then what each layer makes, of all stamps */
    int batch;
    double weight;
};

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
    else if (walk->layer->type == MODEL_AVGPOOL || walk->layer->type == MODEL_GLOBALPOOL)
        walk_all(walk, visit_mean, &w->backward);
    else if (walk->layer->type == MODEL_MAXPOOL)
        walk_all(walk, visit_maximum, &w->backward);
    else if (walk->layer->type == MODEL_DENSE)
        run_dense(walk, w);
}

/* GELU, SiLU, ReLU and their derivatives. */
static double activate(enum model_layer_type type, double x)
{
    if (type == MODEL_GELU)
        return x * 0.5 * (1 + erf(x / sqrt(2)));
    return type == MODEL_SILU ? x / (1 + exp(-x)) : x > 0 ? x : 0;
}

static double activate_slope(enum model_layer_type type, double x)
{
    double s = 1 / (1 + exp(-x));
    if (type == MODEL_GELU)
        return 0.5 * (1 + erf(x / sqrt(2))) + x * exp(-x * x / 2) / sqrt(2 * M_PI);
    return type == MODEL_SILU ? s * (1 + x * (1 - s)) : x > 0;
}

static double dropout_factor(const struct reference *run, int layer, int stamp, size_t i)
{
    double rate = run->model->layers[layer].rate;
    struct rng rng;
    uint32_t word = 0;
    if (!run->pass.train)
        return 1;
    rng_init(&rng, run->pass.seed, 0x64726f70 + (uint32_t)layer,
             ((uint64_t)run->pass.step << 20) + (uint64_t)(run->pass.first + stamp));
    for (size_t k = 0; k <= i; k++)
        word = rng_u32(&rng);
    return word / 4294967296.0 < rate ? 0 : 1 / (1 - rate);
}

/* What is done to each value by itself; slopes are added to. */
static void run_values(const struct reference *run, int l, int stamp, struct walk *walk,
                       const struct view *shortcut, bool backward)
{
    enum model_layer_type type = walk->layer->type;
    bool activation = type == MODEL_GELU || type == MODEL_SILU || type == MODEL_RELU;
    for (size_t i = 0; i < size_of(&walk->out); i++) {
        double x = walk->in.value[i], factor = type == MODEL_DROPOUT ? dropout_factor(run, l, stamp, i) : 1;
        if (!backward)
            walk->out.value[i] =
                (activation ? activate(type, x) : factor * x) + (type == MODEL_ADD ? shortcut->value[i] : 0);
        else
            walk->in.slope[i] += (activation ? activate_slope(type, x) : factor) * walk->out.slope[i];
        if (backward && type == MODEL_ADD)
            shortcut->slope[i] += walk->out.slope[i];
    }
}

struct moments {
    double mean, variance;
};

static struct moments moments_of(const struct reference *run, const struct model_layer *layer,
                                 const struct view *in, int channel)
{
    struct moments m = {run->parameters[layer->mean + (size_t)channel],
                        run->parameters[layer->variance + (size_t)channel]};
    size_t count = (size_t)run->batch * size_of(in), channels = (size_t)in->channels;
    double sum = 0, squares = 0, pixels = (double)(count / channels);
    if (!run->pass.train)
        return m;
    for (size_t i = (size_t)channel; i < count; i += channels)
        sum += in->value[i];
    for (size_t i = (size_t)channel; i < count; i += channels)
        squares += (in->value[i] - sum / pixels) * (in->value[i] - sum / pixels);
    return (struct moments){sum / pixels, squares / pixels};
}

static void norm_channel(struct reference *run, const struct model_layer *layer, const struct view *in,
                         const struct view *out, int channel, bool backward)
{
    struct moments m = moments_of(run, layer, in, channel);
    size_t c = (size_t)channel, count = (size_t)run->batch * size_of(in), step = (size_t)in->channels;
    double slope = 1 / sqrt(m.variance + 1e-5), weight = run->parameters[layer->weight + c], sum = 0,
           product = 0;
    double pixels = (double)(count / step);
    for (size_t i = c; i < count; i += step) {
        double x = (in->value[i] - m.mean) * slope;
        sum += out->slope[i];
        product += out->slope[i] * x;
        if (!backward)
            out->value[i] = weight * x + run->parameters[layer->bias + c];
    }
    for (size_t i = c; backward && i < count; i += step) {
        double x = (in->value[i] - m.mean) * slope, means = (sum + x * product) / pixels;
        in->slope[i] += weight * slope * (out->slope[i] - (run->pass.train ? means : 0));
    }
    if (backward) {
        run->gradient[layer->weight + c] = product;
        run->gradient[layer->bias + c] = sum;
        run->gradient[layer->mean + c] = run->weight * run->batch * m.mean;
        run->gradient[layer->variance + c] =
            run->weight * run->batch * m.variance * pixels / fmax(pixels - 1, 1);
    }
}

static struct view stamp_of(const struct view *all, int n)
{
    struct view view = *all;
    view.value += (size_t)n * size_of(all);
    view.slope += (size_t)n * size_of(all);
    return view;
}

static void start_layer(const struct reference *run, const struct model_layer *layer, const struct view *out)
{
    for (size_t i = 0; i < (size_t)run->batch * size_of(out); i++)
        out->value[i] = layer->bias_count              ? run->parameters[layer->bias + i % layer->bias_count]
                        : layer->type == MODEL_MAXPOOL ? -INFINITY
                                                       : 0;
}

static void run_layer(struct reference *run, int l, bool backward)
{
    const struct model_layer *layer = &run->model->layers[l];
    const struct view *in = &run->views[layer->source], *out = &run->views[l + 1],
                      *shortcut = &run->views[layer->shortcut];
    struct weights w = {run->parameters + layer->weight, run->gradient + layer->weight, backward};
    bool by_value = layer->type >= MODEL_DROPOUT;
    for (int c = 0; layer->type == MODEL_BATCHNORM && c < in->channels; c++)
        norm_channel(run, layer, in, out, c, backward);
    for (int n = 0; layer->type != MODEL_BATCHNORM && n < run->batch; n++) {
        struct walk walk = {.layer = layer, .in = stamp_of(in, n), .out = stamp_of(out, n)};
        struct view other = stamp_of(shortcut, n);
        if (by_value)
            run_values(run, l, n, &walk, &other, backward);
        else
            run_kind(&walk, &w);
    }
}

static void forward(struct reference *run, int l)
{
    const struct model_layer *layer = &run->model->layers[l];
    struct view *out = &run->views[l + 1];
    start_layer(run, layer, out);
    run_layer(run, l, false);
    for (size_t i = 0; layer->relu && i < (size_t)run->batch * size_of(out); i++)
        out->value[i] = out->value[i] > 0 ? out->value[i] : 0;
}

static void backward(struct reference *run, int l)
{
    const struct model_layer *layer = &run->model->layers[l];
    struct view *out = &run->views[l + 1];
    for (size_t i = 0; i < (size_t)run->batch * size_of(out); i++) {
        if (layer->relu && !(out->value[i] > 0))
            out->slope[i] = 0;
        if (layer->bias_count && layer->type != MODEL_BATCHNORM)
            run->gradient[layer->bias + i % layer->bias_count] += out->slope[i];
    }
    run_layer(run, l, true);
}

static struct view make_view(struct model_shape shape, int batch)
{
    struct view view = {.side = shape.side_px, .channels = shape.channels};
    view.value = calloc((size_t)batch * size_of(&view), sizeof(double));
    view.slope = calloc((size_t)batch * size_of(&view), sizeof(double));
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

double reference_run(const struct model *model, const struct network_pass *pass, const double *parameters,
                     const double *input, const uint8_t *labels, int batch, double weight, double *logits,
                     double *gradient, double *input_gradient)
{
    struct view views[64] = {make_view(model->in, batch)};
    struct reference run = {model, *pass, parameters, gradient, views, batch, weight};
    int count = model->layer_count;
    size_t size = (size_t)batch * size_of(&views[0]);
    double loss = 0;
    for (int l = 0; l < count; l++)
        views[l + 1] = make_view(model->layers[l].out, batch);
    memset(gradient, 0, model->parameter_count * sizeof *gradient);
    memcpy(views[0].value, input, size * sizeof *input);
    for (int l = 0; l < count; l++)
        forward(&run, l);
    for (int n = 0; n < batch; n++) {
        struct view last = stamp_of(&views[count], n);
        loss += start_backward(&last, labels[n], weight, logits + 2 * (size_t)n);
    }
    for (int l = count - 1; l >= 0; l--)
        backward(&run, l);
    memcpy(input_gradient, views[0].slope, size * sizeof *input);
    for (int l = 0; l <= count; l++) {
        free(views[l].value);
        free(views[l].slope);
    }
    return loss;
}
