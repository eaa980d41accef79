/* One training step, and a pass over the validation part: micro-batches through the network, sums by the
 * tree. A step takes `batch` examples of the epoch's order; the last, incomplete batch of an epoch is left
 * out (its examples differ from epoch to epoch, since the order does). A micro-batch that is not full, of a
 * batch or of the validation part, has rows that count for nothing. */
#include "daemon/worker/train/trainer.h"
#include "common/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

/* Rows first .. first+count-1 of a part, in `order` (NULL: as they lie), into the network's input. */
static void feed(struct trainer *trainer, enum dataset_part part, const uint64_t *order, int64_t first,
                 int count)
{
    double start_s = clock_monotonic_s();
    size_t size = input_size(trainer->input);
    float *rows = network_input(trainer->network);
    for (int i = 0; i < count; i++) {
        size_t example = order ? order[first + i] : (size_t)(first + i);
        input_convert(trainer->input, dataset_pixels(trainer->dataset, part, example),
                      rows + (size_t)i * size);
        trainer->labels[i] = dataset_label(trainer->dataset, part, example);
    }
    trainer->row_input_s += clock_monotonic_s() - start_s;
    trainer_trace(trainer, "input", "input", start_s);
}

static int rows_of(int64_t leaf, int micro_batch, int64_t count)
{
    int64_t left = count - leaf * micro_batch;
    return (int)(left < micro_batch ? left : micro_batch);
}

static int run_micro_batch(void *context, long leaf, float *gradient, double *statistics, struct err *err)
{
    struct trainer *trainer = context;
    int64_t first =
        trainer->now.state.step % trainer->steps_per_epoch * trainer->batch + leaf * trainer->micro_batch;
    int count = rows_of(leaf, trainer->micro_batch, trainer->batch), correct;
    feed(trainer, DATASET_TRAIN, trainer->order, first, count);
    int code = network_forward(trainer->network, err);
    if (code)
        return code;
    bool overdue =
        trainer->first && clock_monotonic_s() - trainer->last_checkpoint_s >= trainer->checkpoint_every_s;
    statistics[STATISTIC_LOSS] = network_loss(trainer->network, &trainer->loss, trainer->labels, count,
                                              1.0 / trainer->batch, &correct);
    statistics[STATISTIC_CORRECT] = correct;
    statistics[STATISTIC_STOP] = link_stop_asked(trainer->job->link);
    statistics[STATISTIC_CHECKPOINT] = link_checkpoint_asked(trainer->job->link) || overdue;
    return network_backward(trainer->network, gradient, err);
}

static void order_epoch(struct trainer *trainer, int64_t epoch)
{
    if (trainer->ordered_epoch == epoch)
        return;
    dataset_order(trainer->dataset, DATASET_TRAIN, trainer->seed, (uint64_t)epoch, trainer->order);
    trainer->ordered_epoch = epoch;
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
    for (int i = 0; i < model_tensor_count(trainer->model); i++) {
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
    order_epoch(trainer, step / trainer->steps_per_epoch);
    int code = network_load(trainer->network, err);
    if (!code)
        code = tree_sum(trainer->gradients, trainer->micro_batches, run_micro_batch, trainer, &gradient,
                        &statistics, err);
    if (code)
        return code;
    double update_s = clock_monotonic_s();
    trainer->gradient_norm = optimiser_norm(gradient, trainer->now.count);
    code = check_finite(trainer, statistics[STATISTIC_LOSS], rate, err);
    if (code)
        return code;
    update(trainer, gradient, rate);
    trainer_trace(trainer, OPTIMISER_RULES[trainer->optimiser.rule], "update", update_s);
    count_examples(trainer, statistics[STATISTIC_LOSS], statistics[STATISTIC_CORRECT]);
    trainer->stop_asked = statistics[STATISTIC_STOP] > 0;
    trainer->checkpoint_asked = statistics[STATISTIC_CHECKPOINT] > 0;
    trainer->trained_s += clock_monotonic_s() - begin_s;
    return 0;
}

/* Where a validation stands: its leaves are summed in fixed chunks, so that a stop is heard between them. */
struct pass {
    struct trainer *trainer;
    int64_t done; /* micro-batches */
};

static int score_micro_batch(void *context, long leaf, float *none, double *statistics, struct err *err)
{
    struct pass *pass = context;
    struct trainer *trainer = pass->trainer;
    int64_t index = pass->done + leaf;
    int count = rows_of(index, trainer->micro_batch, (int64_t)dataset_count(trainer->dataset, DATASET_VALID)),
        correct;
    (void)none;
    feed(trainer, DATASET_VALID, NULL, index * trainer->micro_batch, count);
    int code = network_forward(trainer->network, err);
    if (code)
        return code;
    statistics[STATISTIC_LOSS] =
        network_loss(trainer->network, &LOSS_PLAIN, trainer->labels, count, 0, &correct);
    statistics[STATISTIC_CORRECT] = correct;
    statistics[STATISTIC_STOP] = link_stop_asked(trainer->job->link);
    statistics[STATISTIC_CHECKPOINT] = 0;
    return 0;
}

int trainer_validate(struct trainer *trainer, double *loss, double *accuracy, struct err *err)
{
    enum { CHUNK = 64 };
    int64_t count = (int64_t)dataset_count(trainer->dataset, DATASET_VALID);
    int64_t leaves = (count + trainer->micro_batch - 1) / trainer->micro_batch;
    struct pass pass = {trainer, 0};
    double loss_sum = 0, correct = 0;
    int code = network_load(trainer->network, err);
    for (; pass.done < leaves && !code; pass.done += CHUNK) {
        const float *none;
        const double *sums;
        long chunk = (long)(leaves - pass.done < CHUNK ? leaves - pass.done : CHUNK);
        code = tree_sum(trainer->scores, chunk, score_micro_batch, &pass, &none, &sums, err);
        if (code)
            return code;
        loss_sum += sums[STATISTIC_LOSS];
        correct += sums[STATISTIC_CORRECT];
        trainer->stop_asked |= sums[STATISTIC_STOP] > 0;
        if (trainer->stop_asked && pass.done + CHUNK < leaves)
            return -EINTR;
    }
    *loss = loss_sum / (double)count;
    *accuracy = correct / (double)count;
    return code;
}
