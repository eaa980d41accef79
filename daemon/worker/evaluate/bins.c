/* AUC by ranges of a property, as verdict.h describes them. */
#include "common/cleanup.h"
#include "daemon/worker/evaluate/property.h"
#include "daemon/worker/evaluate/verdict.h"
#include "daemon/worker/report/choice.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const double VERDICT_PERCENTILE[VERDICT_PERCENTILES] = {1, 25, 50, 75, 99};

static int compare_reals(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* How many values are known. */
static size_t find_percentiles(struct verdict_property *property, const double *values, double *room,
                               size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(values[i]))
            room[n++] = values[i];
    }
    qsort(room, n, sizeof *room, compare_reals);
    for (int i = 0; n > 0 && i < VERDICT_PERCENTILES; i++)
        property->percentile[i] = choice_percentile(room, n, VERDICT_PERCENTILE[i]);
    return n;
}

/* Room for the examples of one bin. */
struct pick {
    double *score;
    uint8_t *label;
    uint32_t *brick;
};

static int measure_bin(struct verdict_bin *bin, const struct verdict_input *input, const double *values,
                       bool last, const struct pick *pick, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < input->n; i++) {
        if (!(values[i] >= bin->low && (values[i] < bin->high || (last && values[i] == bin->high))))
            continue;
        pick->score[n] = input->score[i];
        pick->label[n] = input->label[i];
        pick->brick[n++] = input->brick ? input->brick[i] : 0;
        *(input->label[i] ? &bin->fakes : &bin->reals) += 1;
    }
    bin->measured = bin->fakes > 1 && bin->reals > 1;
    if (!bin->measured)
        return 0;
    int code = auc_measure(&bin->auc, pick->score, pick->label, input->brick ? pick->brick : NULL,
                           input->bricks, n, err);
    if (code)
        return code;
    auc_interval(&bin->auc, VERDICT_CONFIDENCE, &bin->auc_low, &bin->auc_high);
    bin->p = auc_null_tail(&bin->auc, true);
    return 0;
}

int verdict_break_down(struct verdict *verdict, const struct verdict_input *input,
                       const struct property *property, const double *values, struct err *err)
{
    CLEANUP(free_ptr) double *score = malloc(input->n * sizeof *score);
    CLEANUP(free_ptr) uint8_t *label = malloc(input->n * sizeof *label);
    CLEANUP(free_ptr) uint32_t *brick = malloc(input->n * sizeof *brick);
    struct verdict_property *into = &verdict->properties[verdict->property_count];
    if (!score || !label || !brick || verdict->property_count == VERDICT_PROPERTIES_MAX)
        return err_set(err, -ENOMEM, "no room for the property %s of %zu examples", property->name, input->n);
    *into = (struct verdict_property){.of = property};
    if (find_percentiles(into, values, score, input->n) == 0)
        return 0;
    const struct pick pick = {score, label, brick};
    for (int i = 0; i < VERDICT_BINS; i++) {
        into->bins[i].low = into->percentile[i];
        into->bins[i].high = into->percentile[i + 1];
        int code = measure_bin(&into->bins[i], input, values, i + 1 == VERDICT_BINS, &pick, err);
        if (code)
            return code;
    }
    verdict->property_count++;
    return 0;
}

static int compare_bins(const void *left, const void *right)
{
    const struct verdict_bin *const *a = left, *const *b = right;
    return ((*a)->p > (*b)->p) - ((*a)->p < (*b)->p);
}

/* Holm's step-down: the k-th smallest p times (m - k + 1), and never below the one before it. */
void verdict_adjust_bins(struct verdict *verdict)
{
    struct verdict_bin *sorted[VERDICT_PROPERTIES_MAX * VERDICT_BINS];
    size_t measured = 0;
    double most = 0;
    for (size_t i = 0; i < verdict->property_count * VERDICT_BINS; i++) {
        struct verdict_bin *bin = &verdict->properties[i / VERDICT_BINS].bins[i % VERDICT_BINS];
        if (bin->measured)
            sorted[measured++] = bin;
    }
    qsort(sorted, measured, sizeof *sorted, compare_bins);
    for (size_t k = 0; k < measured; k++) {
        most = fmax(most, fmin(1, sorted[k]->p * (double)(measured - k)));
        sorted[k]->p_holm = most;
    }
}

const struct verdict_property *verdict_property_find(const struct verdict *verdict, const char *name)
{
    for (size_t i = 0; i < verdict->property_count; i++) {
        if (strcmp(verdict->properties[i].of->name, name) == 0)
            return &verdict->properties[i];
    }
    return NULL;
}
