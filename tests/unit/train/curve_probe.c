/* curve_probe DATASET MODEL.yaml SEED EPOCHS DIRECTORY: what a train job begins with, for PyTorch to begin with it too:
 * parameters.f32, and order.u64 (EPOCHS x the training part's examples). */
#include "common/cleanup.h"
#include "common/file.h"
#include "common/path.h"
#include "daemon/worker/dataset/dataset.h"
#include "daemon/worker/net/model.h"

#include <stdio.h>
#include <stdlib.h>

static void need(int code, const struct err *err)
{
    if (!code)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    CLEANUP(dataset_close_ptr) struct dataset *dataset = NULL;
    CLEANUP(model_destroy_ptr) struct model *model = NULL;
    if (argc != 6)
        return 2;
    uint64_t seed = strtoull(argv[3], NULL, 10), epochs = strtoull(argv[4], NULL, 10);
    CLEANUP(free_ptr) char *parameters_path = path_join(argv[5], "parameters.f32");
    CLEANUP(free_ptr) char *order_path = path_join(argv[5], "order.u64");
    need(dataset_open(&dataset, argv[1], &err), &err);
    need(model_read(&model, argv[2], dataset_stamp(dataset), dataset_channels(dataset), &err), &err);
    size_t count = dataset_count(dataset, DATASET_TRAIN);
    CLEANUP(free_ptr) float *parameters = calloc(model->parameter_count, sizeof *parameters);
    CLEANUP(free_ptr) uint64_t *order = calloc(epochs * count, sizeof *order);
    if (!parameters || !order)
        return 1;
    model_initial_weights(model, seed, parameters);
    CLEANUP(dataset_order_destroy_ptr) struct dataset_order *rows = NULL;
    need(dataset_order_create(&rows, dataset, DATASET_TRAIN, &err), &err);
    for (uint64_t epoch = 0; epoch < epochs; epoch++) {
        dataset_order_begin(rows, seed, epoch);
        for (size_t i = 0; i < count; i++)
            order[epoch * count + i] = dataset_order_at(rows, i);
    }
    need(file_publish(parameters_path, parameters, model->parameter_count * sizeof *parameters, &err), &err);
    need(file_publish(order_path, order, epochs * count * sizeof *order, &err), &err);
    return 0;
}
