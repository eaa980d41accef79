/* See verdict.h: the numbers, the decision and its sentence. */
#include "daemon/worker/evaluate/verdict.h"
#include "daemon/worker/report/choice.h"
#include "common/cleanup.h"
#include "daemon/worker/statistics/distribution.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const double VERDICT_PERCENTILE[VERDICT_PERCENTILES] = {1, 25, 50, 75, 99};

const char *verdict_outcome_name(enum verdict_outcome outcome)
{
    static const char *const names[VERDICT_OUTCOME_MAX] = {"distinguishable", "representative",
                                                           "inconclusive"};
    return outcome < VERDICT_OUTCOME_MAX ? names[outcome] : "unknown";
}

static void measure_accuracy(struct verdict *verdict, const struct verdict_input *input)
{
    __typeof__(verdict->accuracy) *accuracy = &verdict->accuracy;
    for (size_t i = 0; i < input->n; i++) {
        if (input->score[i] > 0.5)
            *(input->label[i] ? &accuracy->fake_as_fake : &accuracy->real_as_fake) += 1;
    }
    long n = (long)verdict->n, n1 = (long)verdict->fakes, n0 = (long)verdict->reals;
    long hit = (long)accuracy->fake_as_fake, miss = (long)accuracy->real_as_fake;
    long correct = hit + n0 - miss;
    accuracy->correct = (size_t)correct;
    accuracy->value = (double)correct / (double)n;
    accuracy->majority = (double)(n1 > n0 ? n1 : n0) / (double)n;
    accuracy->p = binomial_upper_tail(correct, n, accuracy->majority);
    binomial_interval(correct, n, VERDICT_CONFIDENCE, &accuracy->low, &accuracy->high);
    accuracy->balanced = 0.5 * ((double)hit / (double)n1 + (double)(n0 - miss) / (double)n0);
    accuracy->total_variation = fmax(0, 2 * accuracy->balanced - 1);
    accuracy->fisher_p = fisher_upper_tail(hit, n1 - hit, miss, n0 - miss);
}

static int compare_reals(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static int find_percentiles(struct verdict *verdict, const struct verdict_input *input)
{
    size_t n = 0;
    for (int i = 0; i < VERDICT_PERCENTILES; i++)
        verdict->percentile_mag[i] = NAN;
    if (!input->mag_g)
        return 0;
    CLEANUP(free_ptr) double *sorted = malloc(input->n * sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < input->n; i++) {
        if (isfinite(input->mag_g[i]))
            sorted[n++] = input->mag_g[i];
    }
    qsort(sorted, n, sizeof *sorted, compare_reals);
    for (int i = 0; n > 0 && i < VERDICT_PERCENTILES; i++)
        verdict->percentile_mag[i] = choice_percentile(sorted, n, VERDICT_PERCENTILE[i]);
    verdict->bin_count = n > 0 ? VERDICT_BINS : 0;
    return 0;
}

/* Room for the examples of one bin. */
struct pick {
    double *score;
    uint8_t *label;
    uint32_t *brick;
};

static int measure_bin(struct verdict_bin *bin, const struct verdict_input *input, bool last,
                       const struct pick *pick, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < input->n; i++) {
        double mag = input->mag_g[i];
        if (!(mag >= bin->low && (mag < bin->high || (last && mag == bin->high))))
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

/* Holm's step-down: the k-th smallest p times (m - k + 1), and never below the one before it. */
static void adjust_bins(struct verdict *verdict)
{
    size_t measured = 0;
    for (size_t i = 0; i < verdict->bin_count; i++)
        measured += verdict->bins[i].measured;
    for (size_t i = 0; i < verdict->bin_count; i++) {
        struct verdict_bin *bin = &verdict->bins[i];
        for (size_t j = 0; bin->measured && j < verdict->bin_count; j++) {
            const struct verdict_bin *other = &verdict->bins[j];
            size_t smaller = 0;
            if (!other->measured || other->p > bin->p)
                continue;
            for (size_t k = 0; k < verdict->bin_count; k++)
                smaller += verdict->bins[k].measured && verdict->bins[k].p < other->p;
            bin->p_holm = fmax(bin->p_holm, fmin(1, other->p * (double)(measured - smaller)));
        }
    }
}

static int measure_bins(struct verdict *verdict, const struct verdict_input *input, struct err *err)
{
    CLEANUP(free_ptr) double *score = malloc(input->n * sizeof *score);
    CLEANUP(free_ptr) uint8_t *label = malloc(input->n * sizeof *label);
    CLEANUP(free_ptr) uint32_t *brick = malloc(input->n * sizeof *brick);
    if (!score || !label || !brick || find_percentiles(verdict, input))
        return err_set(err, -ENOMEM, "out of memory for %zu scores", input->n);
    const struct pick pick = {score, label, brick};
    for (size_t i = 0; i < verdict->bin_count; i++) {
        struct verdict_bin *bin = &verdict->bins[i];
        bin->low = verdict->percentile_mag[i];
        bin->high = verdict->percentile_mag[i + 1];
        int code = measure_bin(bin, input, i + 1 == verdict->bin_count, &pick, err);
        if (code)
            return code;
    }
    adjust_bins(verdict);
    return 0;
}

/* Examples with which the AUC, staying where it is, would fall on one side with VERDICT_POWER: every variance
 * goes as 1/n. */
static double count_needed(const struct verdict *verdict)
{
    const struct auc *auc = &verdict->auc;
    const double power = normal_quantile(VERDICT_POWER), n = (double)verdict->n;
    double to_limit = 0.5 + verdict->delta - auc->value, to_chance = auc->value - 0.5, needed = INFINITY;
    if (to_limit > 0) {
        double z = (normal_quantile(VERDICT_CONFIDENCE) + power) / to_limit;
        needed = n * auc_safe_variance(auc) * z * z;
    }
    if (to_chance > 0) {
        double z = (normal_quantile(1 - VERDICT_ALPHA) + power) / to_chance;
        needed = fmin(needed, n * auc->null_variance * auc_design_effect(auc) * z * z);
    }
    return fmax(n + 1, ceil(needed));
}

static void say(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void say(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, size, format, arguments);
    va_end(arguments);
}

const char *verdict_say_p(double p, char text[32])
{
    if (p < 1e-300)
        snprintf(text, 32, "p < 1e-300");
    else if (p > 0.99)
        snprintf(text, 32, "p > 0.99");
    else
        snprintf(text, 32, p < 1e-3 ? "p = %.0e" : "p = %.2g", p);
    return text;
}

/* To two digits: an estimate of examples deserves no more. */
static double round_off(double count)
{
    double unit = pow(10, fmax(0, floor(log10(fmax(1, count))) - 1));
    return ceil(count / unit) * unit;
}

static void say_inconclusive(struct verdict *verdict)
{
    char p[32];
    verdict->needed = count_needed(verdict);
    say(verdict->sentence, sizeof verdict->sentence,
        "Inconclusive: AUC %.3f on %zu examples is not beyond chance (%s), but its upper limit %.3f is not "
        "below %g; "
        "about %.0f more examples would decide if the AUC stays where it is.",
        verdict->auc.value, verdict->n, verdict_say_p(verdict->p, p), verdict->upper, 0.5 + verdict->delta,
        round_off(verdict->needed - (double)verdict->n));
}

static void say_representative(struct verdict *verdict)
{
    char p[32];
    say(verdict->sentence, sizeof verdict->sentence,
        "Representative within %g: AUC %.3f on %zu examples, and at %g %% confidence below %.3f, under the "
        "limit %g declared "
        "before training.",
        verdict->delta, verdict->auc.value, verdict->n, 100 * VERDICT_CONFIDENCE, verdict->upper,
        0.5 + verdict->delta);
    if (verdict->p < VERDICT_ALPHA)
        say(verdict->detail, sizeof verdict->detail,
            "A difference is there (%s against chance), but it is smaller than the margin.",
            verdict_say_p(verdict->p, p));
}

static void say_distinguishable(struct verdict *verdict)
{
    char p[32];
    const struct verdict_bin *most = NULL;
    say(verdict->sentence, sizeof verdict->sentence,
        "Distinguishable: the network tells fakes from reals with AUC %.3f (95 %% interval %.3f to %.3f) on "
        "%zu examples, "
        "%s against chance.",
        verdict->auc.value, verdict->auc_low, verdict->auc_high, verdict->n, verdict_say_p(verdict->p, p));
    for (size_t i = 0; i < verdict->bin_count; i++) {
        const struct verdict_bin *bin = &verdict->bins[i];
        if (bin->measured && bin->p_holm < VERDICT_ALPHA && (!most || bin->auc.value > most->auc.value))
            most = bin;
    }
    if (most)
        say(verdict->detail, sizeof verdict->detail,
            "Most so at g = %.2f to %.2f: AUC %.3f (%.3f to %.3f) on %zu examples.", most->low, most->high,
            most->auc.value, most->auc_low, most->auc_high, most->fakes + most->reals);
}

/* What the numbers say, in the order of verdict.h. */
static void decide(struct verdict *verdict)
{
    double below = auc_null_tail(&verdict->auc, false);
    char p[32];
    verdict->outcome = VERDICT_INCONCLUSIVE;
    if (verdict->auc.constant) {
        say(verdict->sentence, sizeof verdict->sentence,
            "Inconclusive: the network gives all %zu examples the same score; it has learned nothing, which "
            "says nothing "
            "about the fakes.",
            verdict->n);
    } else if (below < VERDICT_ALPHA &&
               auc_lower_limit(&verdict->auc, VERDICT_CONFIDENCE) <= 0.5 - verdict->delta) {
        say(verdict->sentence, sizeof verdict->sentence,
            "Inconclusive: AUC %.3f on %zu examples is below one half by more than chance (%s): the classes "
            "differ, but "
            "otherwise here than in the training part; look at the audit and the split.",
            verdict->auc.value, verdict->n, verdict_say_p(below, p));
    } else if (verdict->upper < 0.5 + verdict->delta) {
        verdict->outcome = VERDICT_REPRESENTATIVE;
        say_representative(verdict);
    } else if (verdict->p < VERDICT_ALPHA) {
        verdict->outcome = VERDICT_DISTINGUISHABLE;
        say_distinguishable(verdict);
    } else {
        say_inconclusive(verdict);
    }
}

int verdict_reach(struct verdict *verdict, const struct verdict_input *input, struct err *err)
{
    *verdict = (struct verdict){.n = input->n, .delta = input->delta};
    int code =
        auc_measure(&verdict->auc, input->score, input->label, input->brick, input->bricks, input->n, err);
    if (code)
        return code;
    verdict->fakes = verdict->auc.fakes;
    verdict->reals = verdict->auc.reals;
    verdict->bricks = verdict->auc.clusters;
    verdict->clustered = verdict->auc.clusters >= AUC_LEAST_CLUSTERS;
    auc_interval(&verdict->auc, VERDICT_CONFIDENCE, &verdict->auc_low, &verdict->auc_high);
    verdict->upper = auc_upper_limit(&verdict->auc, VERDICT_CONFIDENCE);
    verdict->p = auc_null_tail(&verdict->auc, true);
    measure_accuracy(verdict, input);
    code = log_loss_measure(&verdict->loss, input->score, input->label, input->brick, input->bricks, input->n, err);
    if (!code)
        code = measure_bins(verdict, input, err);
    if (!code)
        decide(verdict);
    return code;
}
