#include "daemon/worker/evaluate/covariates.h"
#include "common/cleanup.h"
#include "daemon/worker/statistics/logistic.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { TERMS = 2 }; /* a column and its square */

struct scale {
    double mean, deviation;
};

struct sample {
    size_t n, stride; /* examples 0, stride, 2 stride, ... of the training part */
    double *column;   /* room for a column of the whole part */
    double *x;        /* n rows of TERMS * COVARIATES_MAX, later packed */
    uint8_t *label;
    struct scale scales[COVARIATES_MAX];
};

static void sample_free(struct sample *sample)
{
    free(sample->column);
    free(sample->x);
    free(sample->label);
}

static struct scale find_scale(const double *values, size_t n)
{
    double sum = 0, squares = 0, known = 0;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(values[i])) {
            sum += values[i];
            known++;
        }
    }
    double mean = known > 0 ? sum / known : 0;
    for (size_t i = 0; i < n; i++)
        squares += isfinite(values[i]) ? (values[i] - mean) * (values[i] - mean) : 0;
    return (struct scale){mean, known > 1 ? sqrt(squares / (known - 1)) : 0};
}

static void put_terms(double terms[TERMS], double value, struct scale scale)
{
    double z = isfinite(value) && scale.deviation > 0 ? (value - scale.mean) / scale.deviation : 0;
    z = fmin(fmax(z, -4), 4);
    terms[0] = z;
    terms[1] = z * z - 1;
}

static int sample_open(struct sample *sample, struct dataset *dataset, struct err *err)
{
    const size_t all = dataset_count(dataset, DATASET_TRAIN);
    sample->stride = all / COVARIATES_TRAIN_MOST + 1;
    sample->n = all ? (all - 1) / sample->stride + 1 : 0;
    sample->column = malloc((all + 1) * sizeof *sample->column);
    sample->x = calloc(sample->n + 1, TERMS * COVARIATES_MAX * sizeof *sample->x);
    sample->label = malloc(sample->n + 1);
    if (!sample->column || !sample->x || !sample->label)
        return err_set(err, -ENOMEM, "out of memory for the covariates of %zu examples", all);
    int code = 0;
    for (size_t i = 0; i < sample->n && !code; i++)
        code = dataset_labels(dataset, DATASET_TRAIN, i * sample->stride, 1, &sample->label[i], err);
    return code;
}

static bool sample_has_both(const struct sample *sample)
{
    size_t fakes = 0;
    for (size_t i = 0; i < sample->n; i++)
        fakes += sample->label[i];
    return fakes > 0 && fakes < sample->n;
}

/* The columns that the index has, and that are not the same everywhere. */
static int read_columns(struct covariates *covariates, struct sample *sample, const struct dataset *dataset,
                        struct err *err)
{
    for (size_t k = 0; k < PROPERTIES_COUNT && covariates->count < COVARIATES_MAX; k++) {
        if (!PROPERTIES[k].is_covariate)
            continue;
        struct err absent = {0};
        int code = property_read(&PROPERTIES[k], dataset, DATASET_TRAIN, sample->column, &absent);
        if (code == -ENOENT)
            continue;
        if (code)
            return err_set(err, code, "%s", absent.text);
        const struct scale scale = find_scale(sample->column, dataset_count(dataset, DATASET_TRAIN));
        if (!(scale.deviation > 0))
            continue;
        sample->scales[covariates->count] = scale;
        covariates->columns[covariates->count] = &PROPERTIES[k];
        for (size_t i = 0; i < sample->n; i++)
            put_terms(sample->x + (i * COVARIATES_MAX + covariates->count) * TERMS,
                      sample->column[i * sample->stride], scale);
        covariates->count++;
    }
    return 0;
}

/* Rows of COVARIATES_MAX columns become rows of those that are there. */
static void pack(struct sample *sample, size_t count)
{
    for (size_t i = 0; i < sample->n; i++) {
        for (size_t t = 0; t < TERMS * count; t++)
            sample->x[i * TERMS * count + t] = sample->x[i * TERMS * COVARIATES_MAX + t];
    }
}

static int measure(struct covariates *covariates, const struct logistic *fit, const struct sample *sample,
                   const struct dataset *dataset, enum dataset_part part, const struct verdict_input *input,
                   struct err *err)
{
    CLEANUP(free_ptr) double *logit = calloc(input->n, sizeof *logit);
    CLEANUP(free_ptr) double *column = malloc(input->n * sizeof *column);
    if (!logit || !column)
        return err_set(err, -ENOMEM, "out of memory for the covariates of %zu examples", input->n);
    for (size_t k = 0; k < covariates->count; k++) {
        int code = property_read(covariates->columns[k], dataset, part, column, err);
        if (code)
            return code;
        for (size_t i = 0; i < input->n; i++) {
            double terms[TERMS];
            put_terms(terms, column[i], sample->scales[k]);
            for (size_t t = 0; t < TERMS; t++)
                logit[i] += fit->weight[TERMS * k + t] * terms[t];
        }
    }
    int code = auc_measure(&covariates->auc, logit, input->label, input->brick, input->bricks, input->n, err);
    if (code)
        return code;
    auc_interval(&covariates->auc, VERDICT_CONFIDENCE, &covariates->low, &covariates->high);
    covariates->p = auc_null_tail(&covariates->auc, true);
    return 0;
}

int covariates_measure(struct covariates *covariates, struct dataset *dataset, enum dataset_part part,
                       const struct verdict_input *input, struct err *err)
{
    CLEANUP(sample_free) struct sample sample = {0};
    struct logistic fit;
    *covariates = (struct covariates){0};
    int code = sample_open(&sample, dataset, err);
    if (!code && sample_has_both(&sample))
        code = read_columns(covariates, &sample, dataset, err);
    if (code || covariates->count == 0)
        return code;
    pack(&sample, covariates->count);
    covariates->n_train = sample.n;
    code = logistic_fit(&fit, sample.x, sample.label, sample.n, TERMS * covariates->count, 1, err);
    return code ? code : measure(covariates, &fit, &sample, dataset, part, input, err);
}

bool covariates_rival(const struct covariates *covariates, const struct verdict *verdict)
{
    return covariates->count > 0 && covariates->p < VERDICT_ALPHA &&
           covariates->auc.value >= verdict->auc.value;
}

json_t *covariates_to_json(const struct covariates *covariates)
{
    json_t *columns = json_array();
    for (size_t k = 0; k < covariates->count; k++)
        json_array_append_new(columns, json_string(covariates->columns[k]->name));
    if (covariates->count == 0) {
        json_decref(columns);
        return json_null();
    }
    return json_pack("{so sI s{sf sf sf so}}", "columns", columns, "n_train", (json_int_t)covariates->n_train,
                     "auc", "value", covariates->auc.value, "low", covariates->low, "high", covariates->high,
                     "p", isfinite(covariates->p) ? json_real(covariates->p) : json_null());
}
