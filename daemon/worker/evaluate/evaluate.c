/* The evaluate job: every example of a part is scored once, and from the scores come predictions.h5,
 * verdict.json, the figures and report.html. All ranks predict; rank 0 does the rest. Nothing depends on the
 * number of ranks. */
#include "daemon/worker/evaluate/evaluation.h"
#include "common/path.h"
#include "common/str.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { BRICK_WIDTH = 32 };

static void evaluation_close(struct evaluation *evaluation)
{
    predictor_close(evaluation->predictor);
    dataset_close(evaluation->dataset);
    free(evaluation->score);
    free(evaluation->label);
    free(evaluation->mag_g);
    free(evaluation->brick);
    json_decref(evaluation->controls);
}

static enum dataset_part find_part(const char *name)
{
    for (int part = 0; part < DATASET_PART_MAX; part++) {
        if (name && strcmp(name, dataset_part_name((enum dataset_part)part)) == 0)
            return (enum dataset_part)part;
    }
    return DATASET_TEST;
}

/* What train says of a network whose labels were drawn by lot. */
static int read_sham(struct evaluation *evaluation, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(evaluation->model, "input.json");
    json_t *input = NULL;
    int code = json_read_file(path, &input, err);
    const json_t *seed = json_object_get(input, "sham_seed");
    evaluation->sham = seed != NULL;
    if (seed)
        dataset_draw_labels(evaluation->dataset, (uint64_t)json_integer_value(seed));
    json_decref(input);
    return code;
}

static int evaluation_open(struct evaluation *evaluation, struct job *job, struct err *err)
{
    evaluation->job = job;
    evaluation->out = spec_text(job->spec, "out");
    evaluation->model = spec_text(job->spec, "model");
    evaluation->dataset_path = spec_text(job->spec, "dataset");
    evaluation->audit_path = spec_text(job->spec, "audit");
    evaluation->part = find_part(spec_text(job->spec, "part"));
    int code = dataset_open(&evaluation->dataset, evaluation->dataset_path, err);
    if (!code)
        code = dataset_check(evaluation->dataset, (size_t)team_rank(job->team), (size_t)team_size(job->team),
                             err);
    if (code)
        return code;
    evaluation->n = dataset_count(evaluation->dataset, evaluation->part);
    if (evaluation->n == 0)
        return err_set(err, -EINVAL, "%s has no examples in its %s part", evaluation->dataset_path,
                       dataset_part_name(evaluation->part));
    code = predictor_open(&evaluation->predictor, evaluation->model, dataset_fingerprint(evaluation->dataset),
                          dataset_stamp(evaluation->dataset), dataset_channels(evaluation->dataset),
                          EVALUATION_BATCH, job->threads, err);
    if (!code)
        code = read_sham(evaluation, err);
    if (code || team_rank(job->team) > 0)
        return code;
    evaluation->score = calloc(evaluation->n, sizeof *evaluation->score);
    evaluation->label = calloc(evaluation->n, sizeof *evaluation->label);
    if (!evaluation->score || !evaluation->label)
        return err_set(err, -ENOMEM, "out of memory for %zu scores", evaluation->n);
    code = dataset_labels(evaluation->dataset, evaluation->part, 0, evaluation->n, evaluation->label, err);
    return code ? code : path_make_directories(evaluation->out, 0777, err);
}

static int compare_names(const void *left, const void *right, void *names)
{
    return memcmp((const char *)names + *(const size_t *)left * BRICK_WIDTH,
                  (const char *)names + *(const size_t *)right * BRICK_WIDTH, BRICK_WIDTH);
}

/* Bricks numbered in the order of their names. */
static int number_bricks(struct evaluation *evaluation, char *names, struct err *err)
{
    const size_t n = evaluation->n;
    CLEANUP(free_ptr) size_t *order = malloc(n * sizeof *order);
    evaluation->brick = malloc(n * sizeof *evaluation->brick);
    if (!order || !evaluation->brick)
        return err_set(err, -ENOMEM, "out of memory for %zu brick names", n);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    qsort_r(order, n, sizeof *order, compare_names, names);
    for (size_t i = 0; i < n; i++) {
        evaluation->bricks += i == 0 || compare_names(&order[i - 1], &order[i], names) != 0;
        evaluation->brick[order[i]] = (uint32_t)(evaluation->bricks - 1);
    }
    return 0;
}

static int read_bricks(struct evaluation *evaluation, struct err *err)
{
    struct err absent = {0};
    CLEANUP(free_ptr) char *names = malloc(evaluation->n * BRICK_WIDTH);
    if (!names)
        return err_set(err, -ENOMEM, "out of memory for %zu brick names", evaluation->n);
    int code =
        dataset_text_column(evaluation->dataset, evaluation->part, "brickname", BRICK_WIDTH, names, &absent);
    if (code == -ENOENT)
        return 0;
    return code ? err_set(err, code, "%s", absent.text) : number_bricks(evaluation, names, err);
}

/* The verdict by every property that the index has; mag_g is kept, for the galleries. */
static int break_down(struct evaluation *evaluation, const struct verdict_input *input, struct err *err)
{
    CLEANUP(free_ptr) double *values = malloc(evaluation->n * sizeof *values);
    if (!values)
        return err_set(err, -ENOMEM, "out of memory for %zu examples", evaluation->n);
    for (size_t k = 0; k < PROPERTIES_COUNT; k++) {
        struct err absent = {0};
        int code = property_read(&PROPERTIES[k], evaluation->dataset, evaluation->part, values, &absent);
        if (code == -ENOENT)
            continue;
        if (code)
            return err_set(err, code, "%s", absent.text);
        code = verdict_break_down(&evaluation->verdict, input, &PROPERTIES[k], values, err);
        if (code)
            return code;
        if (k > 0)
            continue;
        evaluation->mag_g = malloc(evaluation->n * sizeof *values);
        if (!evaluation->mag_g)
            return err_set(err, -ENOMEM, "out of memory for %zu examples", evaluation->n);
        memcpy(evaluation->mag_g, values, evaluation->n * sizeof *values);
    }
    return 0;
}

static int measure(struct evaluation *evaluation, struct err *err)
{
    const struct verdict_input input = {.n = evaluation->n,
                                        .score = evaluation->score,
                                        .label = evaluation->label,
                                        .brick = evaluation->brick,
                                        .bricks = evaluation->bricks,
                                        .delta = spec_real(evaluation->job->spec, "delta")};
    int code = verdict_measure(&evaluation->verdict, &input, err);
    if (!code)
        code = break_down(evaluation, &input, err);
    if (!code)
        code = calibration_measure(&evaluation->calibration, input.score, input.label, input.n, err);
    if (!code)
        code =
            covariates_measure(&evaluation->covariates, evaluation->dataset, evaluation->part, &input, err);
    return code;
}

static int reach_verdict(struct evaluation *evaluation, struct err *err)
{
    int code = read_bricks(evaluation, err);
    if (code)
        return code;
    code = measure(evaluation, err);
    if (code)
        return err_prefix(err, "%s, %s part", evaluation->dataset_path, dataset_part_name(evaluation->part));
    verdict_decide(&evaluation->verdict);
    return 0;
}

static int publish_verdict(const struct evaluation *evaluation, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(evaluation->out, "verdict.json");
    char fingerprint[32];
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, dataset_fingerprint(evaluation->dataset));
    json_t *json = verdict_to_json(&evaluation->verdict);
    json_t *context =
        json_pack("{so so sO ss sb ss ss ss ss ss sI si sO?}", "calibration",
                  calibration_to_json(&evaluation->calibration), "covariates",
                  covariates_to_json(&evaluation->covariates), "controls", evaluation->controls, "sees",
                  sight_name(predictor_sight(evaluation->predictor)), "sham", evaluation->sham, "part",
                  dataset_part_name(evaluation->part), "model", evaluation->model, "dataset",
                  evaluation->dataset_path, "fingerprint", fingerprint, "version", DECOY_VERSION, "job",
                  (json_int_t)evaluation->job->id, "attempt", evaluation->job->attempt, "split_seed",
                  json_object_get(dataset_manifest(evaluation->dataset), "seed"));
    int code = json && context && json_object_update(json, context) == 0
                   ? json_publish_file(path, json, err)
                   : err_set(err, -ENOMEM, "out of memory for %s", path);
    json_decref(context);
    json_decref(json);
    return code;
}

static int publish_result(const struct evaluation *evaluation, struct err *err)
{
    const struct verdict *verdict = &evaluation->verdict;
    CLEANUP(free_ptr) char *out = path_absolute(evaluation->out);
    CLEANUP(free_ptr) char *report = path_join(out, "report.html");
    json_t *result = json_pack("{ss ss ss sf sf sI}", "verdict", verdict_outcome_name(verdict->outcome),
                               "sentence", verdict->sentence, "report", report, "auc", verdict->auc.value,
                               "accuracy", verdict->accuracy.value, "n", (json_int_t)verdict->n);
    return result ? link_result(evaluation->job->link, result, err)
                  : err_set(err, -ENOMEM, "out of memory for the result");
}

/* What rank 0 makes of the scores: the numbers first, so that they are safe before anything is drawn. */
static int conclude(struct evaluation *evaluation, const json_t *audit, struct err *err)
{
    CLEANUP(figures_free_ptr) struct figures *figures = calloc(1, sizeof *figures);
    if (!figures)
        return err_set(err, -ENOMEM, "out of memory for the figures");
    int code = reach_verdict(evaluation, err);
    if (!code)
        code = predictions_publish(evaluation, err);
    if (!code)
        code = publish_verdict(evaluation, err);
    if (!code && spec_bool(evaluation->job->spec, "pictures"))
        code = figures_draw(figures, evaluation, err);
    if (!code)
        code = page_publish(evaluation, figures, audit, err);
    if (code)
        return code;
    link_note(evaluation->job->link, "%s", evaluation->verdict.sentence);
    return publish_result(evaluation, err);
}

/* Read before the first prediction, so that a wrong path costs no time. */
static int read_audit(const char *directory, json_t **audit, struct err *err)
{
    if (!directory)
        return 0;
    CLEANUP(free_ptr) char *path = path_join(directory, "audit.json");
    int code = json_read_file(path, audit, err);
    if (!code && !json_is_array(json_object_get(*audit, "checks")))
        code = err_set(err, -EINVAL, "%s is not what an audit job writes: it has no list of checks", path);
    return code;
}

int evaluate_run(struct job *job, struct err *err)
{
    struct evaluation evaluation = {0};
    json_t *audit = NULL;
    int code = evaluation_open(&evaluation, job, err);
    if (!code && team_rank(job->team) == 0)
        code = read_audit(evaluation.audit_path, &audit, err);
    if (!code && team_rank(job->team) == 0)
        code = controls_read(&evaluation.controls, job->spec, dataset_fingerprint(evaluation.dataset),
                             dataset_part_name(evaluation.part), err);
    if (!code)
        code = predict_part(&evaluation, err);
    if (!code && team_rank(job->team) == 0)
        code = conclude(&evaluation, audit, err);
    json_decref(audit);
    evaluation_close(&evaluation);
    return code;
}
