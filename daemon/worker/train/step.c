/* One training step: micro-batches through the network, sums by the tree. A step takes `batch` examples of the
 * epoch's order; the last, incomplete batch of an epoch is left out (its examples differ from epoch to epoch,
 * since the order does). A micro-batch that is not full has rows that count for nothing. */
#include "daemon/worker/train/trainer.h"
#include "common/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

int trainer_feed(struct trainer *trainer, int *count, struct err *err)
{
    double start_s = clock_monotonic_s();
    struct loader_batch batch;
    int code = loader_next(trainer->loader, &batch, err);
    if (code)
        return code;
    for (size_t i = 0; i < (size_t)batch.count; i++)
        input_join_planes(trainer->input, batch.planes + i * input_planes_size(trainer->input),
                          network_input(trainer->network) + i * input_size(trainer->input));
    trainer->labels = batch.labels;
    trainer->row_input_s += clock_monotonic_s() - start_s;
    trainer_trace(trainer, "input", "input", start_s);
    *count = batch.count;
    return 0;
}

void trainer_miss(double *statistics)
{
    memset(statistics, 0, STATISTIC_MAX * sizeof *statistics);
    statistics[STATISTIC_STOP] = statistics[STATISTIC_MISSING] = 1;
}

static int rows_of(int64_t leaf, int micro_batch, int64_t count)
{
    int64_t left = count - leaf * micro_batch;
    return (int)(left < micro_batch ? left : micro_batch);
}

static int run_micro_batch(void *context, long leaf, float *gradient, double *statistics, struct err *err)
{
    struct trainer *trainer = context;
    int count, correct, code = trainer_feed(trainer, &count, err);
    if (code)
        return code;
    if (count == 0) {
        memset(gradient, 0, trainer->now.count * sizeof *gradient);
        trainer_miss(statistics);
        return 0;
    }
    const struct network_pass pass = {.train = true,
                                      .rows = count,
                                      .seed = trainer->seed,
                                      .step = trainer->now.state.step,
                                      .first = (int)leaf * trainer->micro_batch};
    network_begin(trainer->network, &pass);
    code = network_forward(trainer->network, err);
    if (code)
        return code;
    bool overdue =
        trainer->first && clock_monotonic_s() - trainer->last_checkpoint_s >= trainer->checkpoint_every_s;
    statistics[STATISTIC_LOSS] = network_loss(trainer->network, &trainer->loss, trainer->labels, count,
                                              1.0 / trainer->batch, &correct);
    statistics[STATISTIC_CORRECT] = correct;
    statistics[STATISTIC_STOP] = link_stop_asked(trainer->job->link);
    statistics[STATISTIC_CHECKPOINT] = link_checkpoint_asked(trainer->job->link) || overdue;
    statistics[STATISTIC_MISSING] = 0;
    return network_backward(trainer->network, gradient, err);
}

/* The loader's i-th batch of the rest of an epoch that ends at loading_until: of a step this rank has `own`. */
static struct loader_rows training_rows(const void *context, int64_t batch)
{
    const struct trainer *trainer = context;
    int64_t steps = trainer->loading_steps, step = trainer->steps_per_epoch - steps + batch / trainer->own;
    int64_t leaf = trainer->first_micro_batch + batch % trainer->own;
    return (struct loader_rows){step * trainer->batch + leaf * trainer->micro_batch,
                                rows_of(leaf, trainer->micro_batch, trainer->batch)};
}

/* Has the loader at work on what is left of the epoch that the next step belongs to. */
static void load_epoch(struct trainer *trainer)
{
    int64_t step = trainer->now.state.step, epoch = step / trainer->steps_per_epoch;
    if (trainer->loading_steps)
        return;
    loader_stop(trainer->loader);
    trainer->loading_steps = trainer->steps_per_epoch - step % trainer->steps_per_epoch;
    dataset_order_begin(trainer->order, trainer->seed, (uint64_t)epoch);
    const struct loader_pass pass = {
        .part = DATASET_TRAIN,
        .order = trainer->order,
        .epoch = (uint64_t)epoch,
        .batches = trainer->loading_steps * trainer->own,
        .rows = training_rows,
        .context = trainer,
    };
    loader_start(trainer->loader, &pass);
}

static void count_examples(struct trainer *trainer, double loss, double correct)
{
    struct train_state *state = &trainer->now.state;
    state->step++;
    state->row_loss += loss;
    state->row_correct += correct;
    state->row_count += trainer->batch;
    state->epoch_loss += loss;
    state->epoch_correct += correct;
    state->epoch_count += trainer->batch;
    if (state->step % trainer->steps_per_epoch)
        return;
    trainer->loading_steps = 0;
    state->train_loss = state->epoch_loss / (double)state->epoch_count;
    state->train_accuracy = state->epoch_correct / (double)state->epoch_count;
    state->epoch_loss = state->epoch_correct = 0;
    state->epoch_count = 0;
}

/* What is not a number any more is not learnt from: the weights stay those of the step before. */
static int check_finite(struct trainer *trainer, double loss, double rate, struct err *err)
{
    int64_t step = trainer->now.state.step;
    if (isfinite(loss) && isfinite(trainer->gradient_norm))
        return 0;
    return err_set(err, -EDOM,
                   "the %s is not a number any more at step %" PRId64
                   " (learning rate %g): try a lower --rate or --clip-norm; checkpoints of earlier steps are "
                   "kept",
                   isfinite(loss) ? "gradient" : "loss", step + 1, rate);
}

static void update(struct trainer *trainer, const float *gradient, double rate)
{
    const struct checkpoint *now = &trainer->now;
    double scale = optimiser_clip_scale(trainer->gradient_norm, trainer->clip_norm);
    for (int i = 0; i < model_trained_tensor_count(trainer->model); i++) {
        struct model_tensor tensor = model_tensor(trainer->model, i);
        const struct optimiser_block block = {
            .parameters = now->parameters + tensor.offset,
            .first = now->first + tensor.offset,
            .second = now->second + tensor.offset,
            .gradient = gradient + tensor.offset,
            .count = tensor.count,
        };
        optimiser_update(&trainer->optimiser, &block, rate, scale, now->state.step + 1);
    }
}

int trainer_step(struct trainer *trainer, struct err *err)
{
    const float *gradient;
    const double *statistics;
    int64_t step = trainer->now.state.step;
    double begin_s = clock_monotonic_s(), rate = schedule_rate(&trainer->schedule, step);
    load_epoch(trainer);
    int code = network_load(trainer->network, err);
    if (!code)
        code = tree_sum(trainer->gradients, trainer->micro_batches, run_micro_batch, trainer, &gradient,
                        &statistics, err);
    if (code)
        return code;
    trainer->stop_asked = statistics[STATISTIC_STOP] > 0;
    if (statistics[STATISTIC_MISSING] > 0)
        return -EINTR;
    double update_s = clock_monotonic_s();
    trainer->gradient_norm =
        optimiser_norm(gradient + trainer->model->trained, trainer->now.count - trainer->model->trained);
    code = check_finite(trainer, statistics[STATISTIC_LOSS], rate, err);
    if (code)
        return code;
    update(trainer, gradient, rate);
    network_track(trainer->network, gradient);
    trainer_trace(trainer, OPTIMISER_RULES[trainer->optimiser.rule], "update", update_s);
    count_examples(trainer, statistics[STATISTIC_LOSS], statistics[STATISTIC_CORRECT]);
    trainer->checkpoint_asked = statistics[STATISTIC_CHECKPOINT] > 0;
    trainer->trained_s += clock_monotonic_s() - begin_s;
    return 0;
}
