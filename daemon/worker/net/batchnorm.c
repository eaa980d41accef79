/* Batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167): y = weight (x - mean) / sqrt(variance + 1e-5) +
 * bias by channel, then ReLU where the model asks for it. A training pass takes mean and variance of the
 * micro-batch's stamps that count, over all their pixels; a scoring pass takes the running ones. Sums are over a
 * row of pixels in float32, then in double in a fixed order. */
#include "daemon/worker/net/layer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct batchnorm {
    struct layer *layer;
    const struct network_pass *pass;
    const double *loss_weight;
    const float *parameters;
    int batch, channels, side;
    bool weight_gradient, source_gradient;
    float *mean, *variance, *slope; /* of this pass, by channel; slope: 1 / sqrt(variance + MODEL_EPSILON) */
    double *sums, *products;        /* by channel */
    float *row;                     /* sums over a row of pixels, twice */
};

static size_t row_count(const struct batchnorm *norm)
{
    return (size_t)norm->pass->rows * (size_t)norm->side;
}

static const float *row_at(const struct batchnorm *norm, const float *images, size_t row)
{
    return images + row * (size_t)norm->side * (size_t)norm->channels;
}

static void add_row(const struct batchnorm *norm, double *sums, const float *row)
{
    for (int c = 0; c < norm->channels; c++)
        sums[c] += row[c];
}

/* Sums of x, or of (x - mean)^2. */
static void sum_rows(const struct batchnorm *norm, const float *mean, double *sums)
{
    size_t channels = (size_t)norm->channels;
    memset(sums, 0, channels * sizeof *sums);
    for (size_t r = 0; r < row_count(norm); r++) {
        const float *x = row_at(norm, norm->layer->source, r);
        float *restrict row = norm->row;
        memset(row, 0, channels * sizeof *row);
        for (int p = 0; p < norm->side; p++, x += channels) {
            for (size_t c = 0; c < channels; c++)
                row[c] += mean ? (x[c] - mean[c]) * (x[c] - mean[c]) : x[c];
        }
        add_row(norm, sums, row);
    }
}

static void take_statistics(const struct batchnorm *norm)
{
    const struct model_layer *model = norm->layer->model;
    size_t channels = (size_t)norm->channels;
    double count = (double)row_count(norm) * norm->side;
    if (!norm->pass->train) {
        memcpy(norm->mean, norm->parameters + model->mean, channels * sizeof *norm->mean);
        memcpy(norm->variance, norm->parameters + model->variance, channels * sizeof *norm->variance);
    } else {
        sum_rows(norm, NULL, norm->sums);
        for (size_t c = 0; c < channels; c++)
            norm->mean[c] = (float)(norm->sums[c] / count);
        sum_rows(norm, norm->mean, norm->sums);
        for (size_t c = 0; c < channels; c++)
            norm->variance[c] = (float)(norm->sums[c] / count);
    }
    for (size_t c = 0; c < channels; c++)
        norm->slope[c] = 1 / sqrtf(norm->variance[c] + MODEL_EPSILON);
}

static void forward(void *context)
{
    const struct batchnorm *norm = context;
    const struct model_layer *model = norm->layer->model;
    const float *weight = norm->parameters + model->weight, *bias = norm->parameters + model->bias;
    size_t channels = (size_t)norm->channels,
           pixels = (size_t)norm->batch * (size_t)(norm->side * norm->side);
    float *factor = norm->row, *offset = norm->row + channels, least = model->relu ? 0 : -INFINITY;
    take_statistics(norm);
    for (size_t c = 0; c < channels; c++) {
        factor[c] = weight[c] * norm->slope[c];
        offset[c] = bias[c] - norm->mean[c] * factor[c];
    }
    for (size_t p = 0; p < pixels; p++) {
        const float *x = norm->layer->source + p * channels;
        float *restrict y = norm->layer->target + p * channels;
        for (size_t c = 0; c < channels; c++) {
            float value = factor[c] * x[c] + offset[c];
            y[c] = value > least ? value : least;
        }
    }
}

/* The derivative by what came out before the ReLU, in place. */
static void gate(const struct batchnorm *norm)
{
    size_t count = (size_t)norm->batch * layer_count(norm->layer->model->out);
    float *restrict diff = norm->layer->diff_target;
    const float *y = norm->layer->target;
    for (size_t i = 0; i < count; i++)
        diff[i] = y[i] > 0 ? diff[i] : 0;
}

/* sums: of the derivatives; products: of them and the normalised x. */
static void sum_gradients(const struct batchnorm *norm)
{
    size_t channels = (size_t)norm->channels;
    memset(norm->sums, 0, channels * sizeof *norm->sums);
    memset(norm->products, 0, channels * sizeof *norm->products);
    for (size_t r = 0; r < row_count(norm); r++) {
        const float *x = row_at(norm, norm->layer->source, r), *d = row_at(norm, norm->layer->diff_target, r);
        float *restrict sum = norm->row, *restrict product = norm->row + channels;
        memset(norm->row, 0, 2 * channels * sizeof *norm->row);
        for (int p = 0; p < norm->side; p++, x += channels, d += channels) {
            for (size_t c = 0; c < channels; c++) {
                sum[c] += d[c];
                product[c] += d[c] * ((x[c] - norm->mean[c]) * norm->slope[c]);
            }
        }
        add_row(norm, norm->sums, sum);
        add_row(norm, norm->products, product);
    }
}

static void write_gradient(const struct batchnorm *norm)
{
    const struct model_layer *model = norm->layer->model;
    float *gradient = norm->layer->gradient;
    double count = (double)row_count(norm) * norm->side, weight = *norm->loss_weight * norm->pass->rows;
    double unbiased = count > 1 ? count / (count - 1) : 1;
    for (size_t c = 0; c < (size_t)norm->channels; c++) {
        gradient[model->weight + c] = (float)norm->products[c];
        gradient[model->bias + c] = (float)norm->sums[c];
        gradient[model->mean + c] = (float)(weight * norm->mean[c]);
        gradient[model->variance + c] = (float)(weight * unbiased * norm->variance[c]);
    }
}

/* weight slope (d - mean of d - normalised x times the mean of d times it); the means are left out where the
 * statistics are not the micro-batch's. Rows that do not count have no derivative. */
static void write_source_gradient(const struct batchnorm *norm)
{
    const struct model_layer *model = norm->layer->model;
    size_t channels = (size_t)norm->channels, pixels = row_count(norm) * (size_t)norm->side,
           all = (size_t)norm->batch * layer_count(model->in);
    double share = norm->pass->train ? 1 / (double)pixels : 0;
    float *mean_d = norm->row, *mean_product = norm->row + channels;
    for (size_t c = 0; c < channels; c++) {
        mean_d[c] = (float)(share * norm->sums[c]);
        mean_product[c] = (float)(share * norm->products[c]) * norm->slope[c];
    }
    for (size_t p = 0; p < pixels; p++) {
        const float *x = norm->layer->source + p * channels, *d = norm->layer->diff_target + p * channels;
        const float *weight = norm->parameters + model->weight;
        float *restrict to = norm->layer->diff_source + p * channels;
        for (size_t c = 0; c < channels; c++)
            to[c] =
                weight[c] * norm->slope[c] * (d[c] - mean_d[c] - (x[c] - norm->mean[c]) * mean_product[c]);
    }
    memset(norm->layer->diff_source + pixels * channels, 0, (all - pixels * channels) * sizeof(float));
}

static void backward(void *context)
{
    const struct batchnorm *norm = context;
    if (norm->layer->model->relu)
        gate(norm);
    sum_gradients(norm);
    if (norm->weight_gradient)
        write_gradient(norm);
    if (norm->source_gradient)
        write_source_gradient(norm);
}

int layer_create_batchnorm(struct layer *layer, const struct layer_plan *plan, struct err *err)
{
    struct batchnorm *norm = layer->own = calloc(1, sizeof *norm);
    size_t channels = (size_t)layer->model->in.channels;
    if (!norm)
        return err_set(err, -ENOMEM, "out of memory for a batchnorm");
    *norm = (struct batchnorm){
        .layer = layer,
        .pass = plan->pass,
        .loss_weight = plan->loss_weight,
        .parameters = plan->parameters,
        .batch = plan->batch,
        .channels = layer->model->in.channels,
        .side = layer->model->in.side_px,
        .weight_gradient = plan->weight_gradient,
        .source_gradient = plan->source_gradient,
        .mean = layer_buffer(layer, 5 * channels * sizeof(float), err),
        .sums = layer_buffer(layer, 2 * channels * sizeof(double), err),
    };
    if (!norm->mean || !norm->sums)
        return -ENOMEM;
    norm->variance = norm->mean + channels;
    norm->slope = norm->variance + channels;
    norm->row = norm->slope + channels;
    norm->products = norm->sums + channels;
    layer_call(&layer->forward, forward, norm);
    if (plan->weight_gradient || plan->source_gradient)
        layer_call(&layer->backward, backward, norm);
    return 0;
}
