/* The part of report.html that says what the verdict is worth: what the network's P means, and what can be told
 * without looking at a single stamp. */
#include "common/str.h"
#include "daemon/worker/evaluate/evaluation.h"

#include <string.h>

static void put_calibration(struct html *html, const struct calibration *calibration)
{
    page_put_row(html, "Brier score", "%.4f; %.4f by chance", calibration->brier,
                 calibration->brier_of_chance);
    page_put_row(html, "log loss, nats", "%.4f; %.4f by chance", calibration->log_loss,
                 calibration->log_loss_of_chance);
}

static char *list_labels(const struct covariates *covariates)
{
    char text[512] = "";
    for (size_t i = 0; i < covariates->count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", i ? ", " : "", covariates->columns[i]->label);
    }
    return str_format("%s", text);
}

static void put_covariates(struct html *html, const struct evaluation *evaluation)
{
    const struct covariates *covariates = &evaluation->covariates;
    char p[32];
    if (covariates->count == 0) {
        page_put_row(html, "catalogue columns alone", "not measured: the dataset has none");
        return;
    }
    CLEANUP(free_ptr) char *labels = list_labels(covariates);
    page_put_row(html, "catalogue columns alone",
                 "AUC %.3f, 95 %% interval %.3f to %.3f, %s against 0.5; the network: %.3f",
                 covariates->auc.value, covariates->low, covariates->high, verdict_say_p(covariates->p, p),
                 evaluation->verdict.auc.value);
    page_put_row(html, "these columns", "%s", labels);
}

static const char *say_covariates(const struct evaluation *evaluation)
{
    const struct covariates *covariates = &evaluation->covariates;
    if (covariates_rival(covariates, &evaluation->verdict))
        return "The columns do as well as the network: the classes were selected differently.";
    if (covariates->count > 0 && covariates->p < VERDICT_ALPHA)
        return "The columns alone tell the classes apart, if less well than the network: the classes were "
               "not "
               "selected quite alike.";
    return "The columns alone do not tell the classes apart beyond chance.";
}

int page_put_controls(struct html *html, const struct evaluation *evaluation, const struct figures *figures,
                      struct err *err)
{
    html_element(html, "h2", NULL, "What the numbers are worth");
    int code = page_put_figure(html, &figures->of[FIGURE_CALIBRATION], "single", err);
    html_tags(html, "<table>\n");
    put_calibration(html, &evaluation->calibration);
    put_covariates(html, evaluation);
    controls_put(html, evaluation->controls);
    html_tags(html, "</table>\n");
    if (evaluation->covariates.count > 0)
        html_element(
            html, "p", "note",
            "%s A logistic regression on them and their squares learned from %zu examples of the training "
            "part. Chance: every example gets the share of the fakes.",
            say_covariates(evaluation), evaluation->covariates.n_train);
    return code;
}
