/* A run's beginning: dataset, model, network, what identifies the run, and where it goes on. */
#include "common/clock.h"
#include "common/memory.h"
#include "common/path.h"
#include "common/preset.h"
#include "common/str.h"
#include "daemon/worker/train/channels.h"
#include "daemon/worker/train/precision.h"
#include "daemon/worker/train/trainer.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

/* A choice's place in the list of a library part, which has all that the table of specs offers. */
static int find_choice(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    abort();
}

static void read_optimiser(struct trainer *trainer, const json_t *spec)
{
    int optimiser = find_choice(OPTIMISER_RULES, OPTIMISER_RULE_MAX, spec_text(spec, "optimiser"));
    trainer->optimiser = (struct optimiser){
        .rule = (enum optimiser_rule)optimiser,
        .momentum = spec_real(spec, "momentum"),
        .weight_decay = spec_real(spec, "weight_decay"),
    };
    trainer->clip_norm = spec_real(spec, "clip_norm");
    int schedule = find_choice(SCHEDULE_RULES, SCHEDULE_RULE_MAX, spec_text(spec, "schedule"));
    bool given = !json_is_null(json_object_get(spec, "warm_up"));
    trainer->schedule = (struct schedule){
        .rule = (enum schedule_rule)schedule,
        .highest = spec_real(spec, "rate"),
        .warm_up = given                           ? spec_real(spec, "warm_up")
                   : schedule == SCHEDULE_ONECYCLE ? 0.3
                                                   : 0,
        .steps = trainer->steps,
        .every = spec_int(spec, "step_epochs") * trainer->steps_per_epoch,
        .factor = spec_real(spec, "step_factor"),
    };
}

static void read_spec(struct trainer *trainer)
{
    const json_t *spec = trainer->job->spec;
    trainer->batch = (int)spec_int(spec, "batch");
    trainer->micro_batch = (int)spec_int(spec, "micro_batch");
    if (trainer->micro_batch > trainer->batch)
        trainer->micro_batch = trainer->batch;
    trainer->micro_batches = (trainer->batch + trainer->micro_batch - 1) / trainer->micro_batch;
    trainer->keep = (int)spec_int(spec, "keep");
    trainer->epochs = spec_int(spec, "epochs");
    trainer->patience = spec_int(spec, "patience");
    trainer->seed = (uint64_t)spec_int(spec, "seed");
    trainer->checkpoint_every_s = spec_real(spec, "checkpoint_every");
    trainer->trace_from = spec_int(spec, "trace_from");
    trainer->trace_end = trainer->trace_from + spec_int(spec, "trace_steps");
}

/* The weights of the classes, so scaled that their mean over the training part is 1. */
static int weigh_classes(struct trainer *trainer, struct err *err)
{
    const json_t *part = json_object_get(json_object_get(dataset_manifest(trainer->dataset), "parts"),
                                         dataset_part_name(DATASET_TRAIN));
    double count = (double)dataset_count(trainer->dataset, DATASET_TRAIN),
           fakes = json_number_value(json_object_get(part, "fake")), reals = count - fakes,
           weight = spec_real(trainer->job->spec, "fake_weight");
    if (fakes == 0 || reals == 0)
        return err_set(err, -EINVAL, "the training part of %s has no %s example",
                       spec_text(trainer->job->spec, "dataset"), reals > 0 ? "fake" : "real");
    if (weight == 0)
        weight = reals / fakes;
    double mean = (weight * fakes + reals) / count;
    trainer->loss =
        (struct loss){spec_real(trainer->job->spec, "label_smoothing"), {1 / mean, weight / mean}};
    return 0;
}

static int open_dataset(struct trainer *trainer, struct err *err)
{
    const char *path = spec_text(trainer->job->spec, "dataset");
    const struct team *team = trainer->job->team;
    int code = dataset_open(&trainer->dataset, path, err);
    if (!code)
        code = dataset_check(trainer->dataset, (size_t)team_rank(team), (size_t)team_size(team), err);
    if (code)
        return code;
    if (spec_bool(trainer->job->spec, "sham"))
        dataset_draw_labels(trainer->dataset, trainer->seed);
    size_t count = dataset_count(trainer->dataset, DATASET_TRAIN);
    trainer->steps_per_epoch = (int64_t)count / trainer->batch;
    trainer->steps = trainer->steps_per_epoch * trainer->epochs;
    if (!trainer->steps_per_epoch)
        return err_set(err, -EINVAL, "the training part of %s has %zu examples, fewer than a --batch of %d",
                       path, count, trainer->batch);
    if (trainer->patience && !dataset_count(trainer->dataset, DATASET_VALID))
        return err_set(err, -EINVAL, "--patience looks at the validation part, and %s has none", path);
    code = dataset_order_create(&trainer->order, trainer->dataset, DATASET_TRAIN, err);
    return code ? code : trainer_fill_cache(trainer, err);
}

static int open_input(struct trainer *trainer, struct err *err)
{
    const json_t *spec = trainer->job->spec;
    const char *image_scale = spec_text(spec, "image_scale"), *invvar_scale = spec_text(spec, "invvar_scale");
    struct input_channel channels[DATASET_CHANNELS_MAX];
    int code = channels_describe(
        trainer->dataset, strcmp(image_scale, "standard") == 0 || strcmp(invvar_scale, "standard") == 0,
        channels, err);
    if (code)
        return code;
    code = input_create(&trainer->input, image_scale, invvar_scale, dataset_stamp(trainer->dataset),
                        dataset_channels(trainer->dataset), channels, err);
    if (code)
        return err_prefix(err, "%s", spec_text(spec, "dataset"));
    input_show(trainer->input, sight_find(spec_text(spec, "sees")));
    return 0;
}

/* Which micro-batches of a step are this rank's: the tree's leaves that it owns. */
static void share_micro_batches(struct trainer *trainer)
{
    int ranks = team_size(trainer->job->team);
    int64_t end;
    tree_share(trainer->micro_batches, ranks, team_rank(trainer->job->team), &trainer->first_micro_batch,
               &end);
    trainer->own = end - trainer->first_micro_batch;
    if (trainer->first && ranks > trainer->micro_batches)
        link_warning(trainer->job->link,
                     "a batch of %d is %lld micro-batches of %d: only as many of the %d ranks have work; "
                     "give a larger --batch or a smaller --micro-batch",
                     trainer->batch, (long long)trainer->micro_batches, trainer->micro_batch, ranks);
}

static bool stop_asked(const void *link)
{
    return link_stop_asked(link);
}

/* Read ahead is a rank's share of a window of shards, or what a quarter of the memory of the host holds, for the
 * networks need theirs. In what order examples are trained on depends on neither. */
static void plan_reading(const struct trainer *trainer, struct loader_options *options)
{
    const struct team *team = trainer->job->team;
    int64_t allowed = memory_allowed(), stamp = (int64_t)dataset_stamp_bytes(trainer->dataset);
    int64_t count = (int64_t)dataset_count(trainer->dataset, DATASET_TRAIN);
    int64_t window = (int64_t)dataset_window(trainer->dataset);
    int64_t share = (window < count ? window : count) / team_size(team);
    int64_t fit = allowed / 4 / team_local_size(team) / stamp, rows = share < fit ? share : fit;
    options->group_rows = rows < 1 ? 1 : rows < INT_MAX ? (int)rows : INT_MAX;
    options->larger_than_memory = count * stamp > allowed - allowed / 4;
}

static int open_loader(struct trainer *trainer, struct err *err)
{
    const json_t *spec = trainer->job->spec;
    share_micro_batches(trainer);
    struct loader_options options = {
        .dataset = trainer->dataset,
        .input = trainer->input,
        .micro_batch = trainer->micro_batch,
        .seed = trainer->seed,
        .augment = {.symmetries = spec_bool(spec, "augment_symmetries"),
                    .shift_px = (int)spec_int(spec, "augment_shift"),
                    .noise = spec_real(spec, "augment_noise")},
        .stop = stop_asked,
        .stop_context = trainer->job->link,
    };
    plan_reading(trainer, &options);
    return loader_create(&trainer->loader, &options, err);
}

/* The gradients move a tensor at a time, while those of the layers before it are being computed. */
static int open_trees(struct trainer *trainer, struct err *err)
{
    int count = model_tensor_count(trainer->model);
    CLEANUP(free_ptr) size_t *starts = calloc((size_t)count, sizeof *starts);
    if (!starts)
        return err_set(err, -ENOMEM, "out of memory");
    for (int i = 0; i < count; i++)
        starts[i] = model_tensor(trainer->model, i).offset;
    struct tree_options options = {
        .way = (enum tree_way)find_choice(TREE_WAYS, TREE_WAY_MAX, spec_text(trainer->job->spec, "reduce")),
        .block_count = trainer->model->parameter_count,
        .starts = starts,
        .segments = count,
        .statistic_count = STATISTIC_MAX,
    };
    int code = tree_create(&trainer->gradients, trainer->job->team, &options, err);
    if (code)
        return code;
    options = (struct tree_options){.way = TREE_FIXED, .statistic_count = STATISTIC_MAX};
    return tree_create(&trainer->scores, trainer->job->team, &options, err);
}

/* Hands on what the network says of its gradients. */
static void pass_ready(void *tree, size_t offset, size_t count)
{
    (void)count;
    tree_ready(tree, offset);
}

static int open_network(struct trainer *trainer, struct err *err)
{
    CLEANUP(free_ptr) char *path = NULL;
    int code = preset_find("models", spec_text(trainer->job->spec, "model"), &path, err);
    if (!code)
        code = model_read(&trainer->model, path, dataset_stamp(trainer->dataset),
                          dataset_channels(trainer->dataset), err);
    if (!code)
        code = precision_choose(&trainer->precision, spec_text(trainer->job->spec, "precision"),
                                trainer->checkpoints, trainer->job->team, err);
    if (!code)
        code =
            network_create(&trainer->network, trainer->model, trainer->micro_batch, trainer->job->threads,
                           NETWORK_TRAIN | (strcmp(trainer->precision, "bf16") == 0 ? NETWORK_BF16 : 0), err);
    if (code)
        return code;
    size_t count = trainer->model->parameter_count;
    trainer->moments = calloc(2 * count, sizeof *trainer->moments);
    if (!trainer->moments)
        return err_set(err, -ENOMEM, "out of memory for the optimiser's moments");
    trainer->now = (struct checkpoint){
        .parameters = network_parameters(trainer->network),
        .first = trainer->moments,
        .second = trainer->moments + count,
        .count = count,
        .steps_per_epoch = trainer->steps_per_epoch,
    };
    code = open_trees(trainer, err);
    network_set_ready(trainer->network, pass_ready, trainer->gradients);
    return code;
}

/* What must be equal for a checkpoint to be gone on from; `library` and `threads` should be. */
static void describe_run(struct trainer *trainer)
{
    static const char *const SAME[] = {
        "epochs",          "rate",        "schedule",    "warm_up",      "step_epochs",
        "step_factor",     "optimiser",   "momentum",    "weight_decay", "clip_norm",
        "label_smoothing", "fake_weight", "image_scale", "invvar_scale", "seed"};
    char library[64];
    CLEANUP(free_ptr) char *model = model_text(trainer->model);
    CLEANUP(free_ptr) char *dataset = str_format("%016" PRIx64, dataset_fingerprint(trainer->dataset));
    network_describe_library(library);
    trainer->setup = json_pack("{ss ss ss si si si ss}", "dataset", dataset, "model", model, "precision",
                               trainer->precision, "batch", trainer->batch, "micro_batch",
                               trainer->micro_batch, "threads", trainer->job->threads, "library", library);
    for (size_t i = 0; i < sizeof SAME / sizeof *SAME; i++)
        if (!json_is_null(json_object_get(trainer->job->spec, SAME[i])))
            json_object_set(trainer->setup, SAME[i], json_object_get(trainer->job->spec, SAME[i]));
    json_object_set_new(trainer->setup, "sham", json_integer(spec_bool(trainer->job->spec, "sham")));
    trainer->now.setup = trainer->setup;
}

/* The files that do not change, and room for those that do. */
static int write_descriptions(struct trainer *trainer, struct err *err)
{
    if (!trainer->first)
        return 0;
    CLEANUP(free_ptr) char *model = path_join(trainer->out, "model.yaml");
    CLEANUP(free_ptr) char *input = path_join(trainer->out, "input.json");
    int code = model_publish(trainer->model, model, err);
    if (code)
        return code;
    json_t *description = input_to_json(trainer->input);
    json_object_set(description, "fingerprint", json_object_get(trainer->setup, "dataset"));
    if (spec_bool(trainer->job->spec, "sham"))
        json_object_set_new(description, "sham_seed", json_integer((json_int_t)trainer->seed));
    code = json_publish_file(input, description, err);
    json_decref(description);
    return code;
}

int trainer_open(struct trainer *trainer, struct job *job, struct err *err)
{
    trainer->job = job;
    trainer->first = team_rank(job->team) == 0;
    trainer->out = str_format("%s", spec_text(job->spec, "out"));
    trainer->checkpoints = path_join(trainer->out, "ckpts");
    read_spec(trainer);
    int code = open_dataset(trainer, err);
    if (!code)
        code = weigh_classes(trainer, err);
    if (code)
        return code;
    read_optimiser(trainer, job->spec);
    if (!code)
        code = open_input(trainer, err);
    if (!code)
        code = open_loader(trainer, err);
    if (!code)
        code = open_network(trainer, err);
    if (!code)
        describe_run(trainer);
    if (!code && trainer->first)
        code = path_make_directories(trainer->checkpoints, 0777, err);
    return code;
}

void trainer_close(struct trainer *trainer)
{
    journal_close(trainer->journal);
    fence_clear(&trainer->fence);
    trace_destroy(trainer->trace);
    profile_destroy(trainer->profile);
    tree_destroy(trainer->gradients);
    tree_destroy(trainer->scores);
    loader_destroy(trainer->loader);
    network_destroy(trainer->network);
    model_destroy(trainer->model);
    input_destroy(trainer->input);
    dataset_close(trainer->dataset);
    json_decref(trainer->setup);
    free(trainer->moments);
    dataset_order_destroy(trainer->order);
    free(trainer->checkpoints);
    free(trainer->out);
}

static void pass_warning(void *context, const char *text)
{
    link_warning(context, "%s", text);
}

/* Models of an earlier run in the same directory must not be taken for this one's. */
static int remove_models(const struct trainer *trainer, struct err *err)
{
    static const char *const NAMES[] = {"model.safetensors", "best.safetensors"};
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(free_ptr) char *path = path_join(trainer->out, NAMES[i]);
        if (unlink(path) != 0 && errno != ENOENT)
            return err_set(err, -errno, "cannot delete %s: %s", path, strerror(errno));
    }
    return 0;
}

/* The best model as of the checkpoint gone on from: a later one may have been published since. */
static int restore_best(struct trainer *trainer, struct err *err)
{
    size_t count = trainer->now.count;
    int64_t best_step = trainer->now.state.best_step;
    if (!best_step)
        return 0;
    CLEANUP(free_ptr) float *blocks = calloc(3 * count, sizeof *blocks);
    if (!blocks)
        return err_set(err, -ENOMEM, "out of memory for the best model");
    struct checkpoint best = {.parameters = blocks,
                              .first = blocks + count,
                              .second = blocks + 2 * count,
                              .count = count,
                              .setup = trainer->setup};
    struct err why = {0};
    if (checkpoint_load(trainer->checkpoints, best_step, &best, NULL, &why) == 0)
        return trainer_publish(trainer, "best", best.parameters, &best.state, err);
    link_warning(trainer->job->link, "best.safetensors stays as it is: %s", why.text);
    return 0;
}

static int load_newest(struct trainer *trainer, struct err *err)
{
    struct link *link = trainer->job->link;
    checkpoint_sweep(trainer->checkpoints);
    int code = checkpoint_load_newest(trainer->checkpoints, &trainer->now, pass_warning, link, err);
    if (!code) {
        link_note(link, "goes on from the checkpoint after step %" PRId64 " of %" PRId64,
                  trainer->now.state.step, trainer->steps);
        return restore_best(trainer, err);
    }
    if (code != -ENOENT)
        return code;
    memset(&trainer->now.state, 0, sizeof trainer->now.state);
    memset(trainer->moments, 0, 2 * trainer->now.count * sizeof *trainer->moments);
    model_initial_weights(trainer->model, trainer->seed, trainer->now.parameters);
    return remove_models(trainer, err);
}

int trainer_resume(struct trainer *trainer, struct err *err)
{
    struct team *team = trainer->job->team;
    int code = trainer->first ? fence_raise(&trainer->fence, trainer->out, err) : 0;
    if (!code && trainer->first)
        code = load_newest(trainer, err);
    if (!code)
        code = write_descriptions(trainer, err);
    if (code)
        return code;
    team_broadcast(team, &trainer->now.state, sizeof trainer->now.state, 0);
    team_broadcast(team, trainer->now.parameters, trainer->now.count * sizeof(float), 0);
    team_broadcast(team, trainer->moments, 2 * trainer->now.count * sizeof(float), 0);
    if (trainer->first)
        code = journal_open(&trainer->journal, trainer->out, trainer->model, &trainer->now.state,
                            trainer->job->link, err);
    trainer->first_step = trainer->row_start_step = trainer->now.state.step;
    trainer->row_start_s = trainer->last_checkpoint_s = clock_monotonic_s();
    return code;
}
