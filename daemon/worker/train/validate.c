/* A pass over the validation part: loss and accuracy by the tree, the AUC from the score of every example. The
 * last micro-batch may have rows that count for nothing. */
#include "daemon/worker/statistics/auc.h"
#include "daemon/worker/train/stamps.h"

#include <errno.h>

enum { CHUNK = 64 }; /* micro-batches that are summed at once: a stop is heard between them */

struct validation {
    struct trainer *trainer;
    int64_t examples, leaves; /* of the part; a leaf is a micro-batch */
    int64_t done;             /* leaves */
    double *scores;           /* of each example; 0 where another rank has it */
    double loss, correct;     /* sums */
};

static int64_t examples_of(const struct trainer *trainer)
{
    return (int64_t)dataset_count(trainer->dataset, DATASET_VALID);
}

static int64_t leaves_of(const struct trainer *trainer)
{
    return (examples_of(trainer) + trainer->micro_batch - 1) / trainer->micro_batch;
}

static int64_t chunk_size(const struct trainer *trainer, int64_t done)
{
    int64_t left = leaves_of(trainer) - done;
    return left < CHUNK ? left : CHUNK;
}

/* This rank's leaves of the chunk that begins at `done`. */
static int64_t own_leaves(const struct trainer *trainer, int64_t done, int64_t *first)
{
    const struct team *team = trainer->job->team;
    int64_t end;
    tree_share(chunk_size(trainer, done), team_size(team), team_rank(team), first, &end);
    return end - *first;
}

/* Every chunk but the last is full, and gives this rank as many leaves as the first. */
static int64_t leaf_of(const struct trainer *trainer, int64_t batch)
{
    int64_t first, own = own_leaves(trainer, 0, &first), full = leaves_of(trainer) / CHUNK;
    int64_t chunk = own && batch / own < full ? batch / own : full;
    batch -= chunk * (full ? own : 0);
    own_leaves(trainer, chunk * CHUNK, &first);
    return chunk * CHUNK + first + batch;
}

/* Of the trainer alone: a pass that was given up is looked at by the loader's thread until its disk answers. */
static struct loader_rows rows_of(const void *context, int64_t batch)
{
    const struct trainer *trainer = context;
    int64_t size = trainer->micro_batch, first = leaf_of(trainer, batch) * size,
            left = examples_of(trainer) - first;
    return (struct loader_rows){first, (int)(left < size ? left : size)};
}

static void start_loading(const struct trainer *trainer)
{
    int64_t first, batches = 0;
    for (int64_t done = 0; done < leaves_of(trainer); done += CHUNK)
        batches += own_leaves(trainer, done, &first);
    const struct loader_pass load = {
        .part = DATASET_VALID, .batches = batches, .rows = rows_of, .context = trainer};
    loader_start(trainer->loader, &load);
}

static int score_micro_batch(void *context, long leaf, float *none, double *statistics, struct err *err)
{
    struct validation *pass = context;
    struct trainer *trainer = pass->trainer;
    int64_t first = (pass->done + leaf) * trainer->micro_batch;
    int count, correct, code = trainer_feed(trainer, &count, err);
    (void)none;
    if (code)
        return code;
    if (count == 0) {
        trainer_miss(statistics);
        return 0;
    }
    network_begin(trainer->network, &(struct network_pass){.rows = count});
    code = network_forward(trainer->network, err);
    if (code)
        return code;
    statistics[STATISTIC_LOSS] =
        network_loss(trainer->network, &LOSS_PLAIN, trainer->labels, count, 0, &correct);
    statistics[STATISTIC_CORRECT] = correct;
    statistics[STATISTIC_STOP] = link_stop_asked(trainer->job->link);
    statistics[STATISTIC_CHECKPOINT] = statistics[STATISTIC_MISSING] = 0;
    for (int i = 0; i < count; i++)
        pass->scores[first + i] = loss_fake_probability(network_logits(trainer->network) + 2 * i);
    return 0;
}

static int sum_chunks(struct validation *pass, struct err *err)
{
    struct trainer *trainer = pass->trainer;
    for (; pass->done < pass->leaves; pass->done += CHUNK) {
        const float *none;
        const double *sums;
        int code = tree_sum(trainer->scores, chunk_size(trainer, pass->done), score_micro_batch, pass, &none,
                            &sums, err);
        if (code)
            return code;
        pass->loss += sums[STATISTIC_LOSS];
        pass->correct += sums[STATISTIC_CORRECT];
        trainer->stop_asked |= sums[STATISTIC_STOP] > 0;
        bool missing = sums[STATISTIC_MISSING] > 0;
        if (missing || (trainer->stop_asked && pass->done + CHUNK < pass->leaves))
            return -EINTR;
    }
    return 0;
}

/* 0 where the part has too few of a class for one. Scores of several ranks are added to the zeros of the
 * others: every rank gets the same bits. */
static double measure_auc(const struct validation *pass, const uint8_t *labels)
{
    struct auc auc;
    struct err err = {0};
    team_sum(pass->trainer->job->team, pass->scores, (int)pass->examples);
    int code = auc_measure(&auc, pass->scores, labels, NULL, 0, (size_t)pass->examples, &err);
    return code ? 0 : auc.value;
}

static int run(struct validation *pass, uint8_t *labels, struct err *err)
{
    struct train_state *state = &pass->trainer->now.state;
    int code = network_load(pass->trainer->network, err);
    if (code)
        return code;
    start_loading(pass->trainer);
    code = sum_chunks(pass, err);
    if (code)
        return code;
    loader_stop(pass->trainer->loader);
    code = dataset_labels(pass->trainer->dataset, DATASET_VALID, 0, (size_t)pass->examples, labels, err);
    if (code)
        return code;
    state->valid_loss = pass->loss / (double)pass->examples;
    state->valid_accuracy = pass->correct / (double)pass->examples;
    state->valid_auc = measure_auc(pass, labels);
    return pass->trainer->first ? stamps_tell(pass->trainer, pass->scores, labels, err) : 0;
}

int trainer_validate(struct trainer *trainer, struct err *err)
{
    struct validation pass = {
        .trainer = trainer,
        .examples = examples_of(trainer),
    };
    pass.leaves = leaves_of(trainer);
    CLEANUP(free_ptr) double *scores = calloc((size_t)pass.examples, sizeof *scores);
    CLEANUP(free_ptr) uint8_t *labels = calloc((size_t)pass.examples, 1);
    pass.scores = scores;
    if (!scores || !labels)
        return err_set(err, -ENOMEM, "out of memory for the scores of %lld examples",
                       (long long)pass.examples);
    return run(&pass, labels, err);
}
