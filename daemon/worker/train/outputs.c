/* What a run leaves behind: checkpoints, models, the result. */
#include "common/clock.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/net/safetensors.h"
#include "daemon/worker/train/trainer.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

static int check_finite(const struct trainer *trainer, struct err *err)
{
    for (size_t i = 0; i < trainer->now.count; i++) {
        if (!isfinite(trainer->now.parameters[i]))
            return err_set(err, -EDOM,
                           "the weights are not numbers any more at step %" PRId64 ": try a lower --rate",
                           trainer->now.state.step);
    }
    return 0;
}

int trainer_save(struct trainer *trainer, struct err *err)
{
    const struct train_state *state = &trainer->now.state;
    double start_s = clock_monotonic_s();
    trainer->last_checkpoint_s = start_s;
    if (!trainer->first)
        return 0;
    int code = check_finite(trainer, err);
    if (!code)
        code = fence_check(&trainer->fence, err);
    if (!code)
        code = journal_sync(trainer->journal, err);
    if (!code)
        code = checkpoint_save(trainer->checkpoints, &trainer->now, err);
    if (!code)
        code = fence_check(&trainer->fence, err); /* saving takes its time, and pruning deletes what is newer */
    if (!code)
        code = checkpoint_prune(trainer->checkpoints, trainer->keep, state->step, state->best_step, err);
    if (!code && state->best_step == state->step)
        code = trainer_publish(trainer, "best", trainer->now.parameters, state, err);
    return code ? code : trainer_trace_checkpoint(trainer, start_s, err);
}

int trainer_publish(struct trainer *trainer, const char *name, const float *parameters,
                    const struct train_state *state, struct err *err)
{
    int code = fence_check(&trainer->fence, err);
    if (code)
        return code;
    CLEANUP(free_ptr) char *file = str_format("%s.safetensors", name);
    CLEANUP(free_ptr) char *path = path_join(trainer->out, file);
    CLEANUP(free_ptr) char *step = str_format("%" PRId64, state->step);
    CLEANUP(free_ptr) char *loss = str_format("%.9g", state->valid_loss);
    CLEANUP(free_ptr) char *seed = str_format("%" PRIu64, trainer->seed);
    json_t *metadata = json_pack("{ss ss ss ss ss ss sO}", "format", "pt", "model", trainer->model->name,
                                 "step", step, "decoy", DECOY_VERSION, "precision", trainer->precision,
                                 "seed", seed, "dataset", json_object_get(trainer->setup, "dataset"));
    if (state->validated_step == state->step && dataset_count(trainer->dataset, DATASET_VALID))
        json_object_set_new(metadata, "validation_loss", json_string(loss));
    code = safetensors_publish(path, trainer->model, parameters, metadata, err);
    json_decref(metadata);
    return code;
}

int trainer_finish(struct trainer *trainer, struct err *err)
{
    const struct train_state *state = &trainer->now.state;
    if (!trainer->first)
        return 0;
    int code = trainer_publish(trainer, "model", trainer->now.parameters, state, err);
    if (code)
        return code;
    json_t *result = json_pack("{sI sI sI sf sf}", "steps", (json_int_t)state->step, "epochs",
                               (json_int_t)(state->step / trainer->steps_per_epoch), "examples",
                               (json_int_t)dataset_count(trainer->dataset, DATASET_TRAIN), "train_loss",
                               state->train_loss, "train_accuracy", state->train_accuracy);
    if (state->best_step) {
        json_t *valid = json_pack("{sf sf sf sI sf sf}", "valid_loss", state->valid_loss, "valid_accuracy",
                                  state->valid_accuracy, "valid_auc", state->valid_auc, "best_step",
                                  (json_int_t)state->best_step, "best_valid_loss", state->best_loss,
                                  "best_valid_accuracy", state->best_accuracy);
        json_object_update(result, valid);
        json_decref(valid);
    }
    if (state->step < trainer->steps)
        json_object_set_new(result, "ended", json_string("early, out of patience"));
    int64_t examples = (state->step - trainer->first_step) * trainer->batch;
    if (examples)
        json_object_set_new(result, "img_per_s", json_real((double)examples / trainer->trained_s));
    json_object_set_new(result, "model", json_string(trainer->out));
    json_object_set_new(result, "precision", json_string(trainer->precision));
    CLEANUP(free_ptr) char *layers = path_join(trainer->out, "prof/layers.txt");
    if (path_exists(layers))
        json_object_set_new(result, "layers", json_string(layers));
    return link_result(trainer->job->link, result, err);
}
