/* A verdict as the JSON of verdict.h. */
#include "daemon/worker/evaluate/property.h"
#include "daemon/worker/evaluate/verdict.h"

#include <math.h>

/* JSON has no NaN and no infinity: null. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *accuracy_to_json(const struct verdict *verdict)
{
    const __typeof__(verdict->accuracy) *accuracy = &verdict->accuracy;
    return json_pack("{sf sf sf sI sf so sf sf so s{sI sI}}", "value", accuracy->value, "low", accuracy->low,
                     "high", accuracy->high, "correct", (json_int_t)accuracy->correct, "majority",
                     accuracy->majority, "p", number(accuracy->p), "balanced", accuracy->balanced,
                     "total_variation", accuracy->total_variation, "fisher_p", number(accuracy->fisher_p),
                     "called_fake", "fake", (json_int_t)accuracy->fake_as_fake, "real",
                     (json_int_t)accuracy->real_as_fake);
}

static json_t *auc_to_json(const struct verdict *verdict)
{
    double effect = auc_design_effect(&verdict->auc);
    return json_pack("{sf sf sf sf so sb sf sf}", "value", verdict->auc.value, "low", verdict->auc_low,
                     "high", verdict->auc_high, "standard_error", sqrt(auc_safe_variance(&verdict->auc)), "p",
                     number(verdict->p), "clustered", verdict->clustered, "design_effect", effect,
                     "n_effective", (double)verdict->n / effect);
}

static json_t *bin_to_json(const char *column, const struct verdict_bin *bin, size_t i)
{
    json_t *auc = json_null();
    if (bin->measured)
        auc = json_pack("{sf sf sf so so}", "value", bin->auc.value, "low", bin->auc_low, "high",
                        bin->auc_high, "p", number(bin->p), "p_holm", number(bin->p_holm));
    return json_pack("{ss sf sf sf sf sI sI so}", "column", column, "low", bin->low, "high", bin->high,
                     "from_percentile", VERDICT_PERCENTILE[i], "to_percentile", VERDICT_PERCENTILE[i + 1],
                     "n_fake", (json_int_t)bin->fakes, "n_real", (json_int_t)bin->reals, "auc", auc);
}

json_t *verdict_to_json(const struct verdict *verdict)
{
    json_t *bins = json_array();
    for (size_t i = 0; i < verdict->property_count * VERDICT_BINS; i++) {
        const struct verdict_property *property = &verdict->properties[i / VERDICT_BINS];
        json_array_append_new(
            bins, bin_to_json(property->of->name, &property->bins[i % VERDICT_BINS], i % VERDICT_BINS));
    }
    bool open = verdict->needed > 0;
    json_t *equivalence =
        json_pack("{sf sf sf so so}", "delta", verdict->delta, "upper", verdict->upper, "margin",
                  0.5 + verdict->delta, "needed", open ? json_real(verdict->needed) : json_null(), "more",
                  open ? json_real(verdict->needed - (double)verdict->n) : json_null());
    json_t *sensitivity = json_pack("{so so sf}", "auc", number(verdict->least_auc), "delta",
                                    number(verdict->least_delta), "power", VERDICT_POWER);
    return json_pack("{si ss ss ss sI sI sI sI sf so so s{sf sf} so so so}", "v", 1, "verdict",
                     verdict_outcome_name(verdict->outcome), "sentence", verdict->sentence, "detail",
                     verdict->detail, "n", (json_int_t)verdict->n, "n_fake", (json_int_t)verdict->fakes,
                     "n_real", (json_int_t)verdict->reals, "bricks", (json_int_t)verdict->bricks, "alpha",
                     VERDICT_ALPHA, "accuracy", accuracy_to_json(verdict), "auc", auc_to_json(verdict),
                     "log_loss", "value", verdict->loss.value, "standard_error", verdict->loss.standard_error,
                     "equivalence", equivalence, "sensitivity", sensitivity, "bins", bins);
}
