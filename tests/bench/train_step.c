/* train_step MODEL.yaml f32|bf16 BATCH MICRO_BATCH THREADS SECONDS [PEAK]: training steps on noise as the train job makes them
 * (conversion of the input, forward, loss, backward, sum over micro-batches, update), and what each part of
 * a step takes (PEAK: GFLOP/s of all threads, to tell shares of). One JSON object; train.py runs it beside its peers.
 * train_step peak: GFLOP/s of multiply-adds in registers, the most that one core can do. */
#include "common/clock.h"
#include "common/rng.h"
#include "daemon/worker/net/cost.h"
#include "daemon/worker/net/input.h"
#include "daemon/worker/net/network.h"
#include "daemon/worker/net/optimiser.h"
#include "daemon/worker/net/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 64, CHANNELS = 6, WARM_UP = 3, STEPS_MAX = 100000 };

static const struct input_channel NAMES[CHANNELS] = {
    {.name = "g"}, {.name = "ivar_g"}, {.name = "r"}, {.name = "ivar_r"}, {.name = "z"}, {.name = "ivar_z"}};

struct bench {
    struct model *model;
    struct network *network;
    struct input *input;
    int batch, micro;
    float *stamps; /* raw pixels of a batch */
    uint8_t *labels;
    float *sum, *gradient, *first, *second;
    struct profile *profile;
    double peak_gflops; /* of all threads; 0: not given */
    int64_t step;
};

static void need(int code, const struct err *err)
{
    if (!code)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static void add_layer(void *context, const char *layer, const char *phase, double start_s, double end_s)
{
    struct bench *bench = context;
    profile_add_layer(bench->profile, layer, phase, bench->micro, end_s - start_s);
}

static void run_micro_batch(struct bench *bench, int index, float *gradient)
{
    struct err err = {0};
    size_t size = input_size(bench->input), first = (size_t)index * (size_t)bench->micro;
    double start_s = clock_monotonic_s();
    int correct;
    for (size_t i = 0; i < (size_t)bench->micro; i++)
        input_convert(bench->input, bench->stamps + (first + i) * size,
                      network_input(bench->network) + i * size);
    profile_add(bench->profile, "input", clock_monotonic_s() - start_s);
    need(network_forward(bench->network, &err), &err);
    network_loss(bench->network, &LOSS_PLAIN, bench->labels, bench->micro, 1.0 / bench->batch, &correct);
    need(network_backward(bench->network, gradient, &err), &err);
}

static void run_step(struct bench *bench)
{
    struct err err = {0};
    size_t count = bench->model->parameter_count;
    double start_s = clock_monotonic_s();
    need(network_load(bench->network, &err), &err);
    profile_add(bench->profile, "load weights", clock_monotonic_s() - start_s);
    for (int m = 0; m < bench->batch / bench->micro; m++) {
        run_micro_batch(bench, m, m ? bench->gradient : bench->sum);
        start_s = clock_monotonic_s();
        for (size_t i = 0; m && i < count; i++)
            bench->sum[i] += bench->gradient[i];
        profile_add(bench->profile, "sum gradients", clock_monotonic_s() - start_s);
    }
    start_s = clock_monotonic_s();
    const struct optimiser adam = {.rule = OPTIMISER_ADAM};
    const struct optimiser_block block = {network_parameters(bench->network), bench->first, bench->second,
                                          bench->sum, count};
    optimiser_update(&adam, &block, 1e-3, 1, ++bench->step);
    profile_add(bench->profile, "update", clock_monotonic_s() - start_s);
}

static void fill(struct bench *bench)
{
    size_t stamps = (size_t)bench->batch, count = bench->model->parameter_count;
    struct rng rng;
    rng_init(&rng, 1, 0, 0);
    bench->stamps = calloc(stamps * input_size(bench->input), sizeof *bench->stamps);
    bench->labels = calloc(stamps, 1);
    bench->sum = calloc(4 * count, sizeof *bench->sum);
    bench->gradient = bench->sum + count;
    bench->first = bench->gradient + count;
    bench->second = bench->first + count;
    for (size_t i = 0; i < stamps * input_size(bench->input); i++)
        bench->stamps[i] = (float)(i % 2 ? 25 + rng_uniform(&rng) : 0.2 * rng_normal(&rng));
    for (size_t i = 0; i < stamps; i++)
        bench->labels[i] = rng_u32(&rng) & 1;
    model_initial_weights(bench->model, 1, network_parameters(bench->network));
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void tell(const struct bench *bench, const char *precision, int threads, double *took_s, int steps)
{
    char library[64];
    network_describe_library(library);
    qsort(took_s, (size_t)steps, sizeof *took_s, compare);
    double median_s = took_s[steps / 2], mean_s = 0;
    for (int i = 0; i < steps; i++)
        mean_s += took_s[i] / steps;
    CLEANUP(free_ptr) char *table = profile_table(bench->profile, steps, mean_s, bench->peak_gflops);
    json_t *row = json_pack("{ss ss si si si ss si sf sf ss}", "model", bench->model->name, "precision",
                            precision, "batch", bench->batch, "micro_batch", bench->micro, "threads", threads,
                            "library", library, "steps", steps, "step_ms", 1e3 * median_s, "img_per_s",
                            bench->batch / median_s, "table", table);
    json_dumpf(row, stdout, JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(row);
}

static void run(struct bench *bench, const char *precision, int threads, double seconds)
{
    static double took_s[STEPS_MAX];
    int steps = 0;
    for (int i = 0; i < WARM_UP; i++)
        run_step(bench);
    profile_destroy(bench->profile);
    bench->profile = profile_create(bench->model);
    double end_s = clock_monotonic_s() + seconds;
    while ((clock_monotonic_s() < end_s || steps < 3) && steps < STEPS_MAX) {
        double start_s = clock_monotonic_s();
        run_step(bench);
        took_s[steps++] = clock_monotonic_s() - start_s;
    }
    tell(bench, precision, threads, took_s, steps);
}

static void open_bench(struct bench *bench, char **argv)
{
    struct err err = {0};
    int uses = NETWORK_TRAIN | (strcmp(argv[2], "bf16") == 0 ? NETWORK_BF16 : 0);
    bench->batch = atoi(argv[3]);
    bench->micro = atoi(argv[4]);
    need(model_read(&bench->model, argv[1], SIDE, CHANNELS, &err), &err);
    need(network_create(&bench->network, bench->model, bench->micro, atoi(argv[5]), uses, &err), &err);
    need(input_create(&bench->input, "asinh", "relative", SIDE, CHANNELS, NAMES, &err), &err);
    bench->profile = profile_create(bench->model);
    network_set_hook(bench->network, add_layer, bench);
    fill(bench);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    if (argc == 2 && strcmp(argv[1], "peak") == 0) {
        printf("%.1f\n", profile_core_peak());
        return 0;
    }
    if (argc < 7 || argc > 8 || atoi(argv[4]) < 1 || atoi(argv[3]) % atoi(argv[4])) {
        fprintf(stderr, "usage: train_step MODEL.yaml f32|bf16 BATCH MICRO_BATCH THREADS SECONDS [PEAK], or "
                        "train_step peak; "
                        "BATCH is a multiple of MICRO_BATCH\n");
        return 2;
    }
    open_bench(&bench, argv);
    bench.peak_gflops = argc > 7 ? atof(argv[7]) : 0;
    run(&bench, argv[2], atoi(argv[5]), atof(argv[6]));
    profile_destroy(bench.profile);
    free(bench.sum);
    free(bench.labels);
    free(bench.stamps);
    input_destroy(bench.input);
    network_destroy(bench.network);
    model_destroy(bench.model);
    return 0;
}
