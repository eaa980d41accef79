/* See verdict.h: the numbers, the decision and its sentence. */
#include "daemon/worker/evaluate/property.h"
#include "daemon/worker/evaluate/verdict.h"
#include "daemon/worker/statistics/distribution.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

/* What a test of so many examples can show: the chance of missing it is 1 - VERDICT_POWER. Near one half the variance
 * is that of alike classes. */
static void measure_sensitivity(struct verdict *verdict)
{
    const struct auc *auc = &verdict->auc;
    const double power = normal_quantile(VERDICT_POWER);
    double chance = sqrt(auc->null_variance * auc_design_effect(auc));
    verdict->least_auc = 0.5 + (normal_quantile(1 - VERDICT_ALPHA) + power) * chance;
    verdict->least_delta = (normal_quantile(VERDICT_CONFIDENCE) + power) * chance;
    if (auc->constant || !(verdict->least_auc <= 1))
        verdict->least_auc = NAN;
    if (auc->constant || !(verdict->least_delta <= 0.5))
        verdict->least_delta = NAN;
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

/* Beside a verdict that found no difference: which it would have found. */
static void say_sensitivity(struct verdict *verdict)
{
    const size_t length = strlen(verdict->detail);
    if (isfinite(verdict->least_auc))
        say(verdict->detail + length, sizeof verdict->detail - length,
            "%sOn so many examples an AUC of %.3f would have been called distinguishable nine times of ten.",
            length ? " " : "", verdict->least_auc);
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
    say_sensitivity(verdict);
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
    say_sensitivity(verdict);
}

/* The range in which the classes differ most, of those in which they do beyond chance. */
static void say_where(struct verdict *verdict)
{
    const struct verdict_property *where = NULL;
    const struct verdict_bin *most = NULL;
    for (size_t i = 0; i < verdict->property_count * VERDICT_BINS; i++) {
        const struct verdict_bin *bin = &verdict->properties[i / VERDICT_BINS].bins[i % VERDICT_BINS];
        if (!bin->measured || bin->p_holm >= VERDICT_ALPHA || (most && bin->auc.value <= most->auc.value))
            continue;
        where = &verdict->properties[i / VERDICT_BINS];
        most = bin;
    }
    if (most)
        say(verdict->detail, sizeof verdict->detail,
            "Most so at %s = %.2f to %.2f%s%s: AUC %.3f (%.3f to %.3f) on %zu examples.", where->of->label,
            most->low, most->high, where->of->unit[0] ? " " : "", where->of->unit, most->auc.value,
            most->auc_low, most->auc_high, most->fakes + most->reals);
}

static void say_distinguishable(struct verdict *verdict)
{
    char p[32];
    say(verdict->sentence, sizeof verdict->sentence,
        "Distinguishable: the network tells fakes from reals with AUC %.3f (95 %% interval %.3f to %.3f) on "
        "%zu examples, "
        "%s against chance.",
        verdict->auc.value, verdict->auc_low, verdict->auc_high, verdict->n, verdict_say_p(verdict->p, p));
    say_where(verdict);
}

/* What the numbers say, in the order of verdict.h. */
void verdict_decide(struct verdict *verdict)
{
    verdict_adjust_bins(verdict);
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

int verdict_measure(struct verdict *verdict, const struct verdict_input *input, struct err *err)
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
    measure_sensitivity(verdict);
    measure_accuracy(verdict, input);
    return log_loss_measure(&verdict->loss, input->score, input->label, input->brick, input->bricks, input->n,
                            err);
}
