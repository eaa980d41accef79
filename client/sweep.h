/* Sweeps: a file that names fields of a training and the values to try becomes a pipeline of trainings, each followed by an
 * evaluation on the validation part.
 *
 *   name: lenet-rate
 *   search: grid                        or random, with samples and seed
 *   train: {dataset: my-run/dataset, model: lenet-2x2, epochs: 6, seed: 1}
 *   vary:
 *     rate: [0.001, 0.002, 0.004]       a field of train jobs
 *     conv*.kernel: [3, 5, 7]           a key of layers of the model, by their names in `decoy model show`
 *     conv3.repeat: [0, 1, 2]           how often a layer stands
 *     clip_norm: {from: 0.1, to: 10, scale: log}    random only; or linear, the default
 *
 * Why an evaluation of each: the AUC needs an error that takes stamps of one brick together, and the test part must not be
 * looked at while one chooses. What a trial is called, its directory and its key among them, is a function of its fields and
 * its model alone: the same sweep submitted twice is the same jobs, and a sweep with one value more is one more trial. Every
 * sentence names FILE:LINE. */
#ifndef DECOY_CLIENT_SWEEP_H
#define DECOY_CLIENT_SWEEP_H

#include "common/cleanup.h"
#include "common/err.h"
#include "proto/spec.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SWEEP_TRIALS_MAX = 500, SWEEP_NAME_MAX = 12 }; /* a trial's name: hexadecimal digits */

struct sweep_vary {
    const char *name;               /* borrowed from the document */
    const struct spec_field *field; /* of train; NULL: a key of layers */
    json_t *values;                 /* checked; NULL: a range */
    double from, to;
    bool log, whole; /* of a range; whole: to is among its numbers */
};

struct sweep {
    char *path, *name;
    json_t *document, *lines; /* see yaml_read_lines */
    json_t *fields, *options; /* of every training, checked */
    bool random;
    size_t samples;
    uint64_t seed;
    struct sweep_vary *vary;
    size_t vary_count;
};

/* settings: an array of "FIELD=VALUE" that take the place of what stands in `train`; may be NULL. */
int sweep_read(struct sweep **out, const char *path, const json_t *settings, struct err *err);
void sweep_destroy(struct sweep *sweep);
CLEANUP_DEFINE(sweep_destroy_ptr, struct sweep, sweep_destroy)

/* Puts FILE:LINE of a place ("vary/rate/2"; of one that has none, of what is around it) before the sentence. */
int sweep_blame(const struct sweep *sweep, const char *place, struct err *err);

/* An array of {NAME: value}, in the order of the file; *trials is a new reference. */
int sweep_trials(const struct sweep *sweep, json_t **trials, struct err *err);

/* A copy of a model file's content with the keys of its layers that values name, others in values left alone. */
int sweep_model(const struct sweep *sweep, const json_t *file, const json_t *values, json_t **model,
                struct err *err);

/* The pipeline's document and the trials [{"trial", "values", "model", "parameters", "epochs"}], both new references.
 * Writes models that differ from their file to directory/models. Runs decoy-worker to check every model. */
int sweep_plan(const struct sweep *sweep, const char *directory, json_t **document, json_t **trials,
               struct err *err);

/* What is known of a sweep's trials: directory/sweep.json with "fields" for each; rows (of `list`; may be empty) tell the
 * states. {"name", "dataset", "varied", "trials": [{"trial", "values", "parameters", "epochs", "epochs_done", "auc",
 * "auc_error", "loss", "loss_error", "img_per_s", "state"}]}, the best AUC first; a new reference. */
int sweep_results(const char *directory, const json_t *rows, json_t **results, struct err *err);

/* The same as a table; fresh memory. width 0: any. */
char *sweep_format(const json_t *results, int width);

#endif
