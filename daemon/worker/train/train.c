/* The train job: from a dataset to a model. Every rank runs this; rank 0 alone writes and reports. The
 * weights after a step are a function of the spec, the dataset, the threads a rank and the library, whatever
 * the number of ranks and however often the run was stopped (tree.h, checkpoint.h, common/rng.h). */
#include "common/clock.h"
#include "common/log.h"
#include "daemon/worker/train/filters.h"
#include "daemon/worker/train/trainer.h"
#include "proto/spec.h"

#include <errno.h>

enum { STEPS_A_ROW = 10 };

static int write_row(struct trainer *trainer, struct err *err)
{
    struct train_state *state = &trainer->now.state;
    double now_s = clock_monotonic_s(), took_s = now_s - trainer->row_start_s;
    int64_t steps = state->step - trainer->row_start_step,
            epoch = (state->step - 1) / trainer->steps_per_epoch + 1;
    int code = trainer->first ? fence_check(&trainer->fence, err) : 0;
    if (!code && trainer->first)
        code = journal_steps(trainer->journal, state, epoch,
                             schedule_rate(&trainer->schedule, state->step - 1), trainer->gradient_norm,
                             (double)(steps * trainer->batch) / took_s, trainer->row_input_s / took_s, err);
    state->row_loss = state->row_correct = 0;
    state->row_count = 0;
    trainer->row_start_s = now_s;
    trainer->row_start_step = state->step;
    trainer->row_input_s = 0;
    return code;
}

/* A line of the log, as one expects of a training. */
static void log_epoch(const struct trainer *trainer, bool validating)
{
    const struct train_state *state = &trainer->now.state;
    char valid[96] = "";
    if (validating)
        snprintf(valid, sizeof valid, "; validation: loss %.4f, accuracy %.4f, AUC %.4f", state->valid_loss,
                 state->valid_accuracy, state->valid_auc);
    log_info("epoch %lld of %lld: loss %.4f, accuracy %.4f%s",
             (long long)(state->step / trainer->steps_per_epoch), (long long)trainer->epochs,
             state->train_loss, state->train_accuracy, valid);
}

static int tell_epoch(struct trainer *trainer, bool validating, struct err *err)
{
    const struct train_state *state = &trainer->now.state;
    log_epoch(trainer, validating);
    int code = fence_check(&trainer->fence, err);
    if (!code)
        code =
            journal_epoch(trainer->journal, state, state->step / trainer->steps_per_epoch, validating, err);
    if (!code)
        code = journal_weights(trainer->journal, state->step, trainer->model, trainer->now.parameters, err);
    CLEANUP(picture_destroy_ptr)
    struct picture *filters = filters_picture(trainer->model, trainer->now.parameters);
    return code || !filters ? code : journal_picture(trainer->journal, state->step, "filters", filters, err);
}

/* After the last step of an epoch. When asked to stop meanwhile, validated_step stays behind, and the next
 * attempt begins here. */
static int close_epoch(struct trainer *trainer, struct err *err)
{
    struct train_state *state = &trainer->now.state;
    bool validating = dataset_count(trainer->dataset, DATASET_VALID) > 0;
    int code = validating ? trainer_validate(trainer, err) : 0;
    trainer->row_start_s = clock_monotonic_s();
    trainer->row_input_s = 0;
    if (code)
        return code == -EINTR ? 0 : code;
    state->validated_step = state->step;
    if (validating && (!state->best_step || state->valid_loss < state->best_loss)) {
        state->best_step = state->step;
        state->best_loss = state->valid_loss;
        state->best_accuracy = state->valid_accuracy;
    }
    return trainer->first ? tell_epoch(trainer, validating, err) : 0;
}

static bool epoch_is_open(const struct trainer *trainer)
{
    const struct train_state *state = &trainer->now.state;
    return state->step > 0 && state->step % trainer->steps_per_epoch == 0 &&
           state->validated_step != state->step;
}

bool trainer_is_done(const struct trainer *trainer)
{
    const struct train_state *state = &trainer->now.state;
    bool between = state->step > 0 && state->validated_step == state->step;
    bool tired = trainer->patience && between &&
                 state->step - state->best_step >= trainer->patience * trainer->steps_per_epoch;
    return tired || (state->step >= trainer->steps && !epoch_is_open(trainer));
}

/* A step and what is due after it. */
static int advance(struct trainer *trainer, struct err *err)
{
    int code = trainer_trace_begin(trainer, err);
    if (!code)
        code = trainer_step(trainer, err);
    if (!code)
        code = trainer_trace_end(trainer, false, err);
    int64_t step = trainer->now.state.step;
    if (!code && (step % STEPS_A_ROW == 0 || step % trainer->steps_per_epoch == 0))
        code = write_row(trainer, err);
    if (!code && trainer->first)
        link_progress(trainer->job->link, (double)(step * trainer->batch),
                      (double)(trainer->steps * trainer->batch), "examples");
    return code;
}

static int run_steps(struct trainer *trainer, struct err *err)
{
    while (!trainer_is_done(trainer)) {
        int code = epoch_is_open(trainer) ? 0 : advance(trainer, err);
        if (code == -EINTR && trainer->now.state.step == 0)
            return err_set(err, -ECANCELED, "stopped before the first step");
        if (code && code != -EINTR)
            return code;
        code = 0;
        bool epoch_ends = epoch_is_open(trainer);
        if (epoch_ends)
            code = close_epoch(trainer, err);
        if (!code && (epoch_ends || trainer->checkpoint_asked || trainer->stop_asked))
            code = trainer_save(trainer, err);
        if (code)
            return code;
        if (trainer->stop_asked && !trainer_is_done(trainer))
            return err_set(err, -ECANCELED, "stopped after step %lld, with a checkpoint",
                           (long long)trainer->now.state.step);
    }
    return 0;
}

int train_run(struct job *job, struct err *err)
{
    struct trainer trainer = {0};
    int code = trainer_open(&trainer, job, err);
    if (!code)
        code = trainer_resume(&trainer, err);
    if (!code)
        code = run_steps(&trainer, err);
    if (!code || code == -ECANCELED) {
        int traced = trainer_trace_end(&trainer, true, err);
        code = traced ? traced : code;
    }
    if (!code)
        code = trainer_finish(&trainer, err);
    trainer_close(&trainer);
    return code;
}
