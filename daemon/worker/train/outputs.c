/* What a run leaves behind: checkpoints, models, the trace of some steps, the result. */
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
        code = journal_sync(trainer->journal, err);
    if (!code)
        code = checkpoint_save(trainer->checkpoints, &trainer->now, err);
    if (!code)
        code = checkpoint_prune(trainer->checkpoints, trainer->keep, state->step, state->best_step, err);
    if (!code && state->best_step == state->step)
        code = trainer_publish(trainer, "best", trainer->now.parameters, state, err);
    trainer_trace(trainer, "checkpoint", "checkpoint", start_s);
    return code;
}

int trainer_publish(struct trainer *trainer, const char *name, const float *parameters,
                    const struct train_state *state, struct err *err)
{
    CLEANUP(free_ptr) char *file = str_format("%s.safetensors", name);
    CLEANUP(free_ptr) char *path = path_join(trainer->out, file);
    CLEANUP(free_ptr) char *step = str_format("%" PRId64, state->step);
    CLEANUP(free_ptr) char *loss = str_format("%.9g", state->valid_loss);
    CLEANUP(free_ptr) char *seed = str_format("%" PRIu64, trainer->seed);
    json_t *metadata =
        json_pack("{ss ss ss ss ss sO}", "format", "pt", "model", trainer->model->name, "step", step, "decoy",
                  DECOY_VERSION, "seed", seed, "dataset", json_object_get(trainer->setup, "dataset"));
    if (state->validated_step == state->step && dataset_count(trainer->dataset, DATASET_VALID))
        json_object_set_new(metadata, "validation_loss", json_string(loss));
    int code = safetensors_publish(path, trainer->model, parameters, metadata, err);
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
    return link_result(trainer->job->link, result, err);
}

void trainer_trace(struct trainer *trainer, const char *name, const char *category, double start_s)
{
    if (trainer->trace)
        trace_slice(trainer->trace, name, category, start_s, clock_monotonic_s());
}

static void trace_layer(void *context, const char *layer, const char *phase, double start_s, double end_s)
{
    struct trainer *trainer = context;
    trace_slice(trainer->trace, layer, phase, start_s, end_s);
}

static void trace_reduce(void *context, double start_s, double end_s)
{
    struct trainer *trainer = context;
    trace_slice(trainer->trace, "reduce", "reduce", start_s, end_s);
}

/* Hosts are numbered by their first rank. */
static int number_node(struct trainer *trainer, char host[256], int *node, struct err *err)
{
    struct team *team = trainer->job->team;
    int ranks = team_size(team);
    char **hosts = NULL;
    CLEANUP(free_ptr) int *nodes = calloc((size_t)ranks, sizeof *nodes);
    gethostname(host, 255);
    if (!nodes || team_gather_text(team, host, &hosts) != 0)
        return err_set(err, -ENOMEM, "out of memory");
    for (int rank = 0; hosts && rank < ranks; rank++) {
        while (strcmp(hosts[nodes[rank]], hosts[rank]) != 0)
            nodes[rank]++;
    }
    for (int rank = 0; hosts && rank < ranks; rank++)
        free(hosts[rank]);
    free(hosts);
    team_broadcast(team, nodes, (size_t)ranks * sizeof *nodes, 0);
    *node = nodes[team_rank(team)];
    return 0;
}

int trainer_trace_begin(struct trainer *trainer, struct err *err)
{
    int64_t step = trainer->now.state.step;
    if (trainer->trace || step < trainer->trace_from || step >= trainer->trace_end)
        return 0;
    char host[256] = "";
    int node = 0, code = number_node(trainer, host, &node, err);
    if (!code)
        code = trace_create(&trainer->trace, node, team_rank(trainer->job->team), host);
    if (code == -ENOMEM)
        return err_set(err, code, "out of memory for the trace");
    if (code)
        return code;
    network_set_hook(trainer->network, trace_layer, trainer);
    tree_set_hook(trainer->gradients, trace_reduce, trainer);
    return 0;
}

int trainer_trace_end(struct trainer *trainer, bool last, struct err *err)
{
    if (!trainer->trace || (!last && trainer->now.state.step < trainer->trace_end))
        return 0;
    CLEANUP(free_ptr) char *directory = path_join(trainer->out, "prof");
    CLEANUP(free_ptr) char *path = str_format("%s/trace-%d.json", directory, team_rank(trainer->job->team));
    network_set_hook(trainer->network, NULL, NULL);
    tree_set_hook(trainer->gradients, NULL, NULL);
    int code = path_make_directories(directory, 0777, err);
    if (!code)
        code = trace_publish(trainer->trace, path, err);
    trace_destroy(TAKE(trainer->trace));
    return code;
}
