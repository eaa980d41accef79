/* See predictor.h. Rows of a micro-batch never mix in a forward pass, and the kernels are made for one batch
 * size and always run on all of it: a stamp's score is the same in any company. */
#include "daemon/worker/net/predictor.h"
#include "common/path.h"
#include "daemon/worker/net/network.h"
#include "daemon/worker/net/trained.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct predictor {
    struct trained trained;
    struct network *network;
    double *scores;
    int batch;
};

static int check_fingerprint(const char *directory, const char *trained_on, uint64_t fingerprint,
                             struct err *err)
{
    char asked_for[20];
    snprintf(asked_for, sizeof asked_for, "%016" PRIx64, fingerprint);
    if (!trained_on)
        return err_set(err, -EINVAL,
                       "%s/input.json: the dataset it was trained on is not in it; train the model anew",
                       directory);
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

static int open_model(struct predictor *predictor, const char *directory, uint64_t fingerprint, int stamp,
                      int channels, struct err *err)
{
    const struct trained *trained = &predictor->trained;
    int code = trained_open(&predictor->trained, directory, err);
    if (!code)
        code = check_fingerprint(directory, trained->fingerprint, fingerprint, err);
    if (!code && (input_stamp(trained->input) != stamp || input_channels(trained->input) != channels))
        code =
            err_set(err, -EINVAL, "%s was trained on stamps of %d px x %d channels, not %d px x %d",
                    directory, input_stamp(trained->input), input_channels(trained->input), stamp, channels);
    return code ? code : trained_weights(&predictor->trained, directory, false, NULL, err);
}

static int open_network(struct predictor *predictor, int threads, struct err *err)
{
    const struct trained *trained = &predictor->trained;
    int code = network_create(&predictor->network, trained->model, predictor->batch, threads,
                              NETWORK_INPUT_GRADIENT, err);
    if (code)
        return code;
    memcpy(network_parameters(predictor->network), trained->parameters,
           trained->model->parameter_count * sizeof *trained->parameters);
    return network_load(predictor->network, err);
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
        code = open_model(predictor, directory, fingerprint, stamp, channels, err);
    if (!code)
        code = open_network(predictor, threads, err);
    if (!code)
        *out = TAKE(predictor);
    return code;
}

void predictor_close(struct predictor *predictor)
{
    if (!predictor)
        return;
    network_destroy(predictor->network);
    trained_close(&predictor->trained);
    free(predictor->scores);
    free(predictor);
}

enum sight predictor_sight(const struct predictor *predictor)
{
    return input_sight(predictor->trained.input);
}

int predictor_score(struct predictor *predictor, const float *const *stamps, size_t count, double *score,
                    float *gradients, struct err *err)
{
    size_t size = input_size(predictor->trained.input);
    float *rows = network_input(predictor->network);
    if (count > (size_t)predictor->batch)
        return err_set(err, -EINVAL, "%zu stamps do not fit in a batch of %d", count, predictor->batch);
    for (size_t i = 0; i < count; i++)
        input_convert(predictor->trained.input, stamps[i], rows + i * size);
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
