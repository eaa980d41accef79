/* Private to train/: one run under way, as its files share it. */
#ifndef DECOY_TRAIN_TRAINER_H
#define DECOY_TRAIN_TRAINER_H

#include "daemon/worker/dataset/dataset.h"
#include "daemon/worker/job.h"
#include "daemon/worker/net/input.h"
#include "daemon/worker/net/network.h"
#include "daemon/worker/net/optimiser.h"
#include "daemon/worker/net/profile.h"
#include "daemon/worker/net/schedule.h"
#include "daemon/worker/report/trace.h"
#include "daemon/worker/train/checkpoint.h"
#include "daemon/worker/train/fence.h"
#include "daemon/worker/train/journal.h"
#include "daemon/worker/train/loader.h"
#include "daemon/worker/train/tree.h"

/* What ranks tell each other with every step, summed over micro-batches. */
enum statistic {
    STATISTIC_LOSS,
    STATISTIC_CORRECT,
    STATISTIC_STOP,
    STATISTIC_CHECKPOINT,
    STATISTIC_MISSING, /* micro-batches whose data had not come when the training was asked to stop */
    STATISTIC_MAX
};

struct trainer {
    struct job *job;
    bool first;              /* rank 0: it alone writes files and reports */
    char *out, *checkpoints; /* directories */
    struct dataset *dataset;
    struct model *model;
    struct network *network;
    struct input *input;
    struct loader *loader;
    struct tree *gradients, *scores; /* sums for a step and for a validation */
    struct journal *journal;         /* rank 0 */
    struct fence fence;              /* rank 0 */
    json_t *setup;

    struct checkpoint now; /* state, and the three blocks: parameters are the network's */
    float *moments;        /* both, owned */

    const uint8_t *labels; /* of the micro-batch in the network's input: the loader's */

    int batch, micro_batch, keep;
    int64_t micro_batches;          /* a step */
    int64_t first_micro_batch, own; /* of them this rank's: own from the first on */
    int64_t epochs, steps_per_epoch, steps, patience;
    struct schedule schedule;
    struct optimiser optimiser;
    struct loss loss;
    double clip_norm;
    const char *precision; /* "f32" or "bf16": what convolutions multiply */
    uint64_t seed;
    struct dataset_order *order;
    int64_t loading_steps;             /* the last ones of an epoch that the loader's pass is of; 0: none */
    bool stop_asked, checkpoint_asked; /* the same on every rank */
    double checkpoint_every_s, last_checkpoint_s;

    struct trace *trace;     /* until its first checkpoint was written, or the run ends */
    struct profile *profile; /* rank 0: of the same steps */
    bool tracing;            /* within such a step, and up to the next */
    bool in_step;
    int64_t trace_from, trace_end, profiled_steps;
    double step_start_s, profiled_s;
    double row_start_s, row_input_s; /* since the last row of metrics.jsonl */
    int64_t row_start_step;
    double gradient_norm; /* of the last step, before clipping */
    double trained_s;     /* by the clock, in this attempt */
    int64_t first_step;   /* of this attempt */
};

/* A part of train_run each; 0 or a negative errno and a sentence. All are collective. */
int trainer_open(struct trainer *trainer, struct job *job, struct err *err); /* dataset, model, network */
void trainer_close(struct trainer *trainer);
int trainer_resume(struct trainer *trainer,
                   struct err *err); /* from the newest checkpoint, or from first weights */
/* One update; state.step counts it. -EINTR: asked to stop while it waited for data, and nothing has changed. */
int trainer_step(struct trainer *trainer, struct err *err);
int trainer_validate(struct trainer *trainer, struct err *err); /* state.valid_...; -EINTR: asked to stop */
int trainer_save(struct trainer *trainer, struct err *err);     /* a checkpoint */
int trainer_publish(struct trainer *trainer, const char *name, const float *parameters,
                    const struct train_state *state,
                    struct err *err);                         /* <out>/<name>.safetensors, on rank 0 */
int trainer_finish(struct trainer *trainer, struct err *err); /* the last model and the result */

/* Copies shards to the directory `cache`, where one was given (dataset_cache). */
int trainer_fill_cache(struct trainer *trainer, struct err *err);

/* The loader's next micro-batch into the network's input and `labels`; *count: how many rows it has, 0 when asked to stop
 * before they were there. */
int trainer_feed(struct trainer *trainer, int *count, struct err *err);

/* A leaf's statistics when that gave 0. */
void trainer_miss(double *statistics);

/* Whether the last epoch, or one that ran out of patience, is done and told. */
bool trainer_is_done(const struct trainer *trainer);

/* Around a step, a trace of whose parts was asked for: prof/trace-<rank>.json, and on rank 0 prof/layers.txt, where the
 * time of those steps went. The trace has the first checkpoint after them, too. */
int trainer_trace_begin(struct trainer *trainer, struct err *err);
int trainer_trace_end(struct trainer *trainer, bool last, struct err *err);
void trainer_trace(struct trainer *trainer, const char *name, const char *category, double start_s);
int trainer_trace_checkpoint(struct trainer *trainer, double start_s, struct err *err);

#endif
