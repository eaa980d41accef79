#include "daemon/worker/evaluate/calibration.h"
#include "common/cleanup.h"
#include "daemon/worker/statistics/distribution.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

struct example {
    double score;
    uint8_t label;
};

static int compare_scores(const void *left, const void *right)
{
    const struct example *a = left, *b = right;
    return (a->score > b->score) - (a->score < b->score);
}

/* Bins end where a tenth of the examples is full and the score rises. */
static void fill_bins(struct calibration *calibration, const struct example *sorted, size_t n)
{
    for (size_t i = 0, first = 0; i < n; i++) {
        __typeof__(*calibration->bins) *bin = &calibration->bins[calibration->bin_count];
        bin->n++;
        bin->fakes += sorted[i].label;
        bin->score += sorted[i].score;
        bool full = (i + 1) * CALIBRATION_BINS >= (calibration->bin_count + 1) * n;
        if (i + 1 < n && (!full || sorted[i].score == sorted[i + 1].score))
            continue;
        bin->score /= (double)(i + 1 - first);
        binomial_interval((long)bin->fakes, (long)bin->n, 0.95, &bin->low, &bin->high);
        first = i + 1;
        calibration->bin_count++;
    }
}

int calibration_measure(struct calibration *calibration, const double *score, const uint8_t *label, size_t n,
                        struct err *err)
{
    const double least = 1e-7;
    CLEANUP(free_ptr) struct example *sorted = malloc(n * sizeof *sorted);
    if (!sorted)
        return err_set(err, -ENOMEM, "out of memory for %zu scores", n);
    *calibration = (struct calibration){0};
    double fakes = 0;
    for (size_t i = 0; i < n; i++) {
        double p = fmin(fmax(score[i], least), 1 - least), off = score[i] - label[i];
        sorted[i] = (struct example){score[i], label[i]};
        calibration->brier += off * off / (double)n;
        calibration->log_loss -= log(label[i] ? p : 1 - p) / (double)n;
        fakes += label[i];
    }
    double share = fakes / (double)n;
    calibration->brier_of_chance = share * (1 - share);
    if (share > 0 && share < 1)
        calibration->log_loss_of_chance = -share * log(share) - (1 - share) * log(1 - share);
    qsort(sorted, n, sizeof *sorted, compare_scores);
    fill_bins(calibration, sorted, n);
    return 0;
}

json_t *calibration_to_json(const struct calibration *calibration)
{
    json_t *bins = json_array();
    for (size_t i = 0; i < calibration->bin_count; i++) {
        const __typeof__(*calibration->bins) *bin = &calibration->bins[i];
        json_array_append_new(bins, json_pack("{sI sf sI sf sf sf}", "n", (json_int_t)bin->n, "score",
                                              bin->score, "fakes", (json_int_t)bin->fakes, "share",
                                              (double)bin->fakes / (double)bin->n, "low", bin->low, "high",
                                              bin->high));
    }
    return json_pack("{sf sf sf sf so}", "brier", calibration->brier, "brier_of_chance",
                     calibration->brier_of_chance, "log_loss", calibration->log_loss, "log_loss_of_chance",
                     calibration->log_loss_of_chance, "bins", bins);
}
