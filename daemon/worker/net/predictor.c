/* See predictor.h. Rows of a micro-batch never mix in a forward pass, and the kernels are made for one batch
 * size and always run on all of it: a stamp's score is the same in any company. */
#include "daemon/worker/net/predictor.h"
#include "common/path.h"
#include "daemon/worker/net/input.h"
#include "daemon/worker/net/network.h"
#include "daemon/worker/net/safetensors.h"
#include "proto/json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct predictor {
    struct model *model;
    struct network *network;
    struct input *input;
    double *scores;
    int batch;
};

static int check_fingerprint(const char *directory, const json_t *file, uint64_t fingerprint, struct err *err)
{
    const char *trained_on = json_string_value(json_object_get(file, "fingerprint"));
    char asked_for[20];
    snprintf(asked_for, sizeof asked_for, "%016" PRIx64, fingerprint);
    if (!trained_on)
        return err_set(err, -EINVAL, "the dataset it was trained on is not in it; train the model anew");
    return strcmp(trained_on, asked_for) == 0
               ? 0
               : err_set(err, -EINVAL,
                         "the model in %s was trained on another dataset (fingerprint %.16s, not %s), whose "
                         "split may have put these stamps into its training part: give the dataset it was "
                         "trained on",
                         directory, trained_on, asked_for);
}

/* A run that was stopped has checkpoints, perhaps a best model, but not the last one. */
static int check_finished(const char *directory, struct err *err)
{
    CLEANUP(free_ptr) char *last = path_join(directory, "model.safetensors");
    if (!path_is_directory(directory))
        return err_set(err, -ENOENT, "there is no directory %s", directory);
    return path_exists(last) ? 0
                             : err_set(err, -ENOENT,
                                       "%s is not the output of a train job that has ended: it has no "
                                       "model.safetensors",
                                       directory);
}

static int open_input(struct predictor *predictor, const char *directory, uint64_t fingerprint,
                      struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "input.json");
    json_t *file;
    int code = json_read_file(path, &file, err);
    if (code)
        return code;
    code = input_from_json(&predictor->input, file, err);
    if (!code)
        code = check_fingerprint(directory, file, fingerprint, err);
    json_decref(file);
    return code ? err_prefix(err, "%s", path) : 0;
}

static int open_model(struct predictor *predictor, const char *directory, int stamp, int channels,
                      int threads, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "model.yaml");
    CLEANUP(free_ptr) char *best = path_join(directory, "best.safetensors");
    CLEANUP(free_ptr) char *last = path_join(directory, "model.safetensors");
    int code = model_read(&predictor->model, path, stamp, channels, err);
    if (!code && (input_stamp(predictor->input) != stamp || input_channels(predictor->input) != channels))
        code = err_set(err, -EINVAL, "%s was trained on stamps of %d px x %d channels, not %d px x %d",
                       directory, input_stamp(predictor->input), input_channels(predictor->input), stamp,
                       channels);
    if (!code)
        code = network_create(&predictor->network, predictor->model, predictor->batch, threads,
                              NETWORK_INPUT_GRADIENT, err);
    if (!code)
        code = safetensors_read(path_exists(best) ? best : last, predictor->model,
                                network_parameters(predictor->network), err);
    return code ? code : network_load(predictor->network, err);
}

int predictor_open(struct predictor **out, const char *directory, uint64_t fingerprint, int stamp,
                   int channels, int batch, int threads, struct err *err)
{
    CLEANUP(predictor_close_ptr) struct predictor *predictor = calloc(1, sizeof *predictor);
    if (predictor)
        predictor->scores = calloc((size_t)batch, sizeof *predictor->scores);
    if (!predictor || !predictor->scores)
        return err_set(err, -ENOMEM, "out of memory");
    predictor->batch = batch;
    int code = check_finished(directory, err);
    if (!code)
        code = open_input(predictor, directory, fingerprint, err);
    if (!code)
        code = open_model(predictor, directory, stamp, channels, threads, err);
    if (!code)
        *out = TAKE(predictor);
    return code;
}

void predictor_close(struct predictor *predictor)
{
    if (!predictor)
        return;
    network_destroy(predictor->network);
    model_destroy(predictor->model);
    input_destroy(predictor->input);
    free(predictor->scores);
    free(predictor);
}

enum sight predictor_sight(const struct predictor *predictor)
{
    return input_sight(predictor->input);
}

int predictor_score(struct predictor *predictor, const float *const *stamps, size_t count, double *score,
                    float *gradients, struct err *err)
{
    size_t size = input_size(predictor->input);
    float *rows = network_input(predictor->network);
    if (count > (size_t)predictor->batch)
        return err_set(err, -EINVAL, "%zu stamps do not fit in a batch of %d", count, predictor->batch);
    for (size_t i = 0; i < count; i++)
        input_convert(predictor->input, stamps[i], rows + i * size);
    memset(rows + count * size, 0, ((size_t)predictor->batch - count) * size * sizeof *rows);
    int code = network_forward(predictor->network, err);
    if (code)
        return code;
    network_scores(predictor->network, predictor->scores);
    memcpy(score, predictor->scores, count * sizeof *score);
    if (!gradients)
        return 0;
    code = network_backward(predictor->network, NULL, err);
    if (!code)
        memcpy(gradients, network_input_gradient(predictor->network), count * size * sizeof *gradients);
    return code;
}
