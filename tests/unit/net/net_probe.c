/* What the oracles drive. Files of raw little-endian numbers in DIRECTORY:
 *   net_probe step MODEL.yaml SIDE CHANNELS N DIRECTORY: parameters.f32, input.f32, labels.u8 ->
 * gradient.f32, input_gradient.f32, adam.f32 (parameters after one update at rate 1e-3, and running statistics); prints the mean loss
 *   net_probe score RUN SIDE CHANNELS N DIRECTORY FINGERPRINT: stamps.f32 -> score.f64, score_gradient.f32 */
#include "daemon/worker/net/network.h"
#include "daemon/worker/net/optimiser.h"
#include "daemon/worker/net/predictor.h"
#include "common/file.h"
#include "common/path.h"

#include <stdio.h>
#include <string.h>

static const char *directory;

static void need(int code, const struct err *err)
{
    if (!code)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static void take(const char *name, void *data, size_t size)
{
    struct err err = {0};
    CLEANUP(free_ptr) char *path = path_join(directory, name);
    CLEANUP(free_ptr) char *bytes = NULL;
    size_t got;
    need(file_read(path, size, &bytes, &got, &err), &err);
    if (got != size)
        exit(3);
    memcpy(data, bytes, size);
}

static void give(const char *name, const void *data, size_t size)
{
    struct err err = {0};
    CLEANUP(free_ptr) char *path = path_join(directory, name);
    need(file_publish(path, data, size, &err), &err);
}

static void step(const char *path, int side, int channels, int batch)
{
    struct err err = {0};
    struct model *model;
    struct network *network;
    int correct;
    need(model_read(&model, path, side, channels, &err), &err);
    need(network_create(&network, model, batch, 1, NETWORK_TRAIN | NETWORK_INPUT_GRADIENT, &err), &err);
    size_t count = model->parameter_count, inputs = (size_t)batch * (size_t)(side * side * channels);
    float *gradient = calloc(3 * count, sizeof *gradient);
    uint8_t *labels = calloc((size_t)batch, 1);
    take("parameters.f32", network_parameters(network), count * sizeof(float));
    take("input.f32", network_input(network), inputs * sizeof(float));
    take("labels.u8", labels, (size_t)batch);
    network_begin(network, &(struct network_pass){.train = true, .rows = batch});
    need(network_load(network, &err), &err);
    need(network_forward(network, &err), &err);
    printf("%.17g\n", network_loss(network, &LOSS_PLAIN, labels, batch, 1.0 / batch, &correct) / batch);
    need(network_backward(network, gradient, &err), &err);
    give("gradient.f32", gradient, count * sizeof(float));
    give("input_gradient.f32", network_input_gradient(network), inputs * sizeof(float));
    const struct optimiser adam = {.rule = OPTIMISER_ADAM};
    size_t start = model->trained;
    const struct optimiser_block block = {network_parameters(network) + start, gradient + count + start,
                                          gradient + 2 * count + start, gradient + start, count - start};
    optimiser_update(&adam, &block, 1e-3, 1, 1);
    network_track(network, gradient);
    give("adam.f32", network_parameters(network), count * sizeof(float));
    free(gradient);
    free(labels);
    network_destroy(network);
    model_destroy(model);
}

static void score(const char *run, uint64_t fingerprint, int side, int channels, size_t count)
{
    struct err err = {0};
    struct predictor *predictor;
    size_t size = (size_t)(side * side * channels);
    float *stamps = calloc(2 * count * size, sizeof *stamps), *gradients = stamps + count * size;
    const float **rows = calloc(count, sizeof *rows);
    double *scores = calloc(count, sizeof *scores);
    take("stamps.f32", stamps, count * size * sizeof *stamps);
    for (size_t i = 0; i < count; i++)
        rows[i] = stamps + i * size;
    need(predictor_open(&predictor, run, fingerprint, side, channels, (int)count + 3, 1, &err), &err);
    need(predictor_score(predictor, rows, count, scores, gradients, &err), &err);
    give("score.f64", scores, count * sizeof *scores);
    give("score_gradient.f32", gradients, count * size * sizeof *gradients);
    predictor_close(predictor);
    free(stamps);
    free(rows);
    free(scores);
}

int main(int argc, char **argv)
{
    if (argc < 7 || (strcmp(argv[1], "score") == 0 && argc < 8))
        return 2;
    directory = argv[6];
    if (strcmp(argv[1], "step") == 0)
        step(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
    else
        score(argv[2], strtoull(argv[7], NULL, 16), atoi(argv[3]), atoi(argv[4]), (size_t)atoi(argv[5]));
    return 0;
}
