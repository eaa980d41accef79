/* train_step MODEL.yaml MICRO_BATCH MICRO_BATCHES THREADS SECONDS: a training step on noise (forward, loss,
 * backward of each micro-batch, Adam), and each layer's share. One JSON line; compare with
 * ../shared/peers/peer_train.py and onednn_bound.cpp run beside it. */
#include "common/clock.h"
#include "common/rng.h"
#include "daemon/worker/net/network.h"
#include "daemon/worker/net/optimiser.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 64, STEPS_MAX = 100000 };

static struct {
    char name[64];
    double spent_s;
} parts[PARTS_MAX];

static void add_part(void *context, const char *layer, const char *phase, double start_s, double end_s)
{
    (void)context;
    char name[64];
    snprintf(name, sizeof name, "%s %s", layer, phase);
    for (int i = 0; i < PARTS_MAX; i++) {
        if (!parts[i].name[0])
            memcpy(parts[i].name, name, sizeof name);
        if (strcmp(parts[i].name, name) == 0) {
            parts[i].spent_s += end_s - start_s;
            return;
        }
    }
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct model *model;
    struct network *network;
    if (argc != 6) {
        fprintf(stderr, "usage: train_step MODEL.yaml MICRO_BATCH MICRO_BATCHES THREADS SECONDS\n");
        return 2;
    }
    int micro = atoi(argv[2]), count = atoi(argv[3]), threads = atoi(argv[4]);
    if (model_read(&model, argv[1], 64, 6, &err) != 0 ||
        network_create(&network, model, micro, threads, NETWORK_TRAIN, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    size_t size = model->parameter_count;
    float *gradient = calloc(4 * size, sizeof *gradient), *sum = gradient + size, *first = sum + size,
          *second = first + size;
    uint8_t *labels = calloc((size_t)micro, 1);
    double *took_s = malloc(STEPS_MAX * sizeof *took_s);
    struct rng rng;
    rng_init(&rng, 1, 0, 0);
    model_initial_weights(model, 1, network_parameters(network));
    for (int i = 0; i < micro * 64 * 64 * 6; i++)
        network_input(network)[i] = (float)rng_normal(&rng);
    for (int i = 0; i < micro; i++)
        labels[i] = rng_u32(&rng) & 1;
    network_set_hook(network, add_part, NULL);
    int steps = 0, correct;
    for (double end_s = clock_monotonic_s() + atof(argv[5]);
         (clock_monotonic_s() < end_s || steps < 5) && steps < STEPS_MAX; steps++) {
        double start_s = clock_monotonic_s();
        if (steps == 2)
            memset(parts, 0, sizeof parts);
        network_load(network, &err);
        for (int m = 0; m < count; m++) {
            network_forward(network, &err);
            network_loss(network, labels, micro, 1.0 / (micro * count), &correct);
            network_backward(network, m ? gradient : sum, &err);
            for (size_t i = 0; m && i < size; i++)
                sum[i] += gradient[i];
        }
        adam_update(network_parameters(network), first, second, sum, size, 1e-3, steps + 1);
        took_s[steps] = clock_monotonic_s() - start_s;
    }
    double whole_s = 0, layers_s = 0;
    for (int i = 2; i < steps; i++)
        whole_s += took_s[i];
    for (int i = 0; i < PARTS_MAX && parts[i].name[0]; i++) {
        fprintf(stderr, "%-20s %8.3f ms\n", parts[i].name, 1e3 * parts[i].spent_s / (steps - 2) / count);
        layers_s += parts[i].spent_s;
    }
    fprintf(stderr, "%-20s %8.3f ms\n", "all the rest", 1e3 * (whole_s - layers_s) / (steps - 2) / count);
    qsort(took_s, (size_t)steps, sizeof *took_s, compare);
    double median_s = took_s[steps / 2];
    printf("{\"model\": \"%s\", \"micro_batch\": %d, \"micro_batches\": %d, \"threads\": %d, \"step_ms\": "
           "%.2f, \"img_per_s\": %.1f}\n",
           model->name, micro, count, threads, 1e3 * median_s, micro * count / median_s);
    free(took_s);
    free(labels);
    free(gradient);
    network_destroy(network);
    model_destroy(model);
    return 0;
}
