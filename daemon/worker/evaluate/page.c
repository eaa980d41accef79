/* report.html: the verdict first, then what it rests on, what was looked at, how it came about. */
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/evaluate/evaluation.h"
#include "daemon/worker/evaluate/page_data.h"
#include "daemon/worker/report/checks.h"
#include "daemon/worker/report/html.h"
#include "proto/spec.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static void put_fact(struct html *html, const char *value, const char *name)
{
    html_tags(html, "<div>");
    html_element(html, "b", NULL, "%s", value);
    html_element(html, "span", NULL, "%s", name);
    html_tags(html, "</div>");
}

static void put_facts(struct html *html, const struct verdict *verdict)
{
    char value[96], name[96];
    html_tags(html, "<div class=\"facts\">\n");
    snprintf(value, sizeof value, "%.3f", verdict->auc.value);
    snprintf(name, sizeof name, "AUC, 95 %% interval %.3f to %.3f", verdict->auc_low, verdict->auc_high);
    put_fact(html, value, name);
    snprintf(value, sizeof value, "%.1f %%", 100 * verdict->accuracy.value);
    snprintf(name, sizeof name, "accuracy; always guessing one class: %.1f %%",
             100 * verdict->accuracy.majority);
    put_fact(html, value, name);
    snprintf(value, sizeof value, "%.3f", verdict->upper);
    snprintf(name, sizeof name, "95 %% upper limit of AUC; representative needs it below %g",
             0.5 + verdict->delta);
    put_fact(html, value, name);
    snprintf(value, sizeof value, "%zu + %zu", verdict->fakes, verdict->reals);
    snprintf(name, sizeof name, verdict->bricks ? "fakes + reals, of %zu brick%s" : "fakes + reals",
             verdict->bricks, plural(verdict->bricks));
    put_fact(html, value, name);
    html_tags(html, "</div>\n");
}

static void put_head(struct html *html, const struct evaluation *evaluation, const json_t *audit)
{
    const struct verdict *verdict = &evaluation->verdict;
    const char *name = verdict_outcome_name(verdict->outcome);
    html_element(html, "h1", NULL, "Can a network tell the fakes from the real galaxies?");
    html_element(html, "div",
                 verdict->outcome == VERDICT_DISTINGUISHABLE  ? "outcome distinguishable"
                 : verdict->outcome == VERDICT_REPRESENTATIVE ? "outcome representative"
                                                              : "outcome inconclusive",
                 "%s", name);
    html_element(html, "p", "sentence", "%s", verdict->sentence);
    if (verdict->detail[0])
        html_element(html, "p", NULL, "%s", verdict->detail);
    put_facts(html, verdict);
    if (evaluation->brick && !verdict->clustered)
        html_element(html, "p", "warning",
                     "The %zu examples lie in %zu brick%s. Stamps of one brick share its sky, depth and PSF; "
                     "fewer than %d bricks do "
                     "not show how much that matters, so every interval here takes stamps as independent and "
                     "may be too narrow.",
                     verdict->n, verdict->bricks, plural(verdict->bricks), AUC_LEAST_CLUSTERS);
    if (covariates_rival(&evaluation->covariates, verdict))
        html_element(
            html, "p", "warning",
            "Catalogue columns alone do as well as the network (AUC %.3f): the classes were selected "
            "differently, so that this says nothing about what the galaxies look like.",
            evaluation->covariates.auc.value);
    controls_put_warnings(html, evaluation->controls);
    if (predictor_sight(evaluation->predictor) != SIGHT_ALL)
        html_element(html, "p", "warning", "This network was trained with --sees %s: it is a control.",
                     sight_name(predictor_sight(evaluation->predictor)));
    if (evaluation->sham)
        html_element(
            html, "p", "warning",
            "The labels were drawn by lot (train --sham): this is a control, which nothing but chance should "
            "come of.");
    if (evaluation->part != DATASET_TEST)
        html_element(html, "p", "warning", "This is the %s part, not the test part: the network has seen it.",
                     dataset_part_name(evaluation->part));
    checks_put_warnings(html, audit);
}

int page_put_figure(struct html *html, const struct figure *figure, const char *class_name, struct err *err)
{
    int code = 0;
    if (!figure->path && !figure->caption) /* no pictures were asked for */
        return 0;
    if (!figure->path) {
        html_element(html, "p", "note", "%s", figure->caption);
        return 0;
    }
    html_tags(html, class_name                       ? "<figure class=\"single\">"
                    : figure->kind == FIGURE_GALLERY ? "<figure><div class=\"scroll\">"
                                                     : "<figure>");
    code = html_image(html, figure->path, figure->kind == FIGURE_PLOT ? "plot" : "gallery", figure->caption,
                      err);
    html_tags(html, figure->kind == FIGURE_GALLERY ? "</div>" : "");
    html_element(html, "figcaption", NULL, "%s", figure->caption);
    html_tags(html, "</figure>\n");
    return code;
}

int page_put_pair(struct html *html, const struct figure *left, const struct figure *right, struct err *err)
{
    html_tags(html, "<div class=\"pair\">\n<div>");
    int code = page_put_figure(html, left, NULL, err);
    html_tags(html, "</div>\n<div>");
    if (!code)
        code = page_put_figure(html, right, NULL, err);
    html_tags(html, "</div>\n</div>\n");
    return code;
}

void page_put_row(struct html *html, const char *name, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    html_tags(html, "<tr>");
    html_element(html, "td", NULL, "%s", name);
    html_element(html, "td", NULL, "%s", text);
    html_tags(html, "</tr>\n");
}

static void put_accuracy_rows(struct html *html, const struct verdict *verdict)
{
    char p[32];
    const __typeof__(verdict->accuracy) *accuracy = &verdict->accuracy;
    page_put_row(html, "accuracy at P = 0.5",
                 "%.3f, 95 %% interval %.3f to %.3f (Clopper-Pearson); %zu of %zu", accuracy->value,
                 accuracy->low, accuracy->high, accuracy->correct, verdict->n);
    page_put_row(html, "guessing the most numerous class", "%.3f; %s (exact binomial, one-sided)",
                 accuracy->majority, verdict_say_p(accuracy->p, p));
    page_put_row(html, "fakes called fake", "%zu of %zu", accuracy->fake_as_fake, verdict->fakes);
    page_put_row(html, "reals called fake", "%zu of %zu; %s (Fisher's exact test, one-sided)",
                 accuracy->real_as_fake, verdict->reals, verdict_say_p(accuracy->fisher_p, p));
    page_put_row(html, "balanced accuracy", "%.3f; the classes' total variation distance is at least %.3f",
                 accuracy->balanced, accuracy->total_variation);
}

static void put_auc_rows(struct html *html, const struct verdict *verdict)
{
    char p[32];
    page_put_row(html, "AUC", "%.3f, 95 %% interval %.3f to %.3f (%s)", verdict->auc.value, verdict->auc_low,
                 verdict->auc_high,
                 verdict->clustered ? "the larger of DeLong's and the bricks' variance" : "DeLong");
    page_put_row(html, "AUC against 0.5", "%s (Mann-Whitney, one-sided; decided at %g)",
                 verdict_say_p(verdict->p, p), VERDICT_ALPHA);
    if (verdict->clustered)
        page_put_row(html, "design effect of bricks", "%.2f: %zu examples of %zu bricks count as %.0f",
                     auc_design_effect(&verdict->auc), verdict->n, verdict->bricks,
                     (double)verdict->n / auc_design_effect(&verdict->auc));
    page_put_row(html, "equivalence",
                 "95 %% one-sided upper limit %.3f; with delta = %g representative means below %.3f",
                 verdict->upper, verdict->delta, 0.5 + verdict->delta);
    if (isfinite(verdict->least_auc))
        page_put_row(html, "what so many examples can show",
                     "an AUC of %.3f is called distinguishable, and fakes quite alike representative within "
                     "%.3f, with power %g",
                     verdict->least_auc, verdict->least_delta, VERDICT_POWER);
    if (verdict->needed > 0)
        page_put_row(html, "examples that would decide",
                     "about %.0f more (%.0f in all) with power %g, if the AUC stays where it is",
                     verdict->needed - (double)verdict->n, verdict->needed, VERDICT_POWER);
}

static int put_measure(struct html *html, const struct evaluation *evaluation, const struct figures *figures,
                       struct err *err)
{
    html_element(html, "h2", NULL, "How well the network tells them apart");
    int code = page_put_pair(html, &figures->of[FIGURE_ROC], &figures->of[FIGURE_SCORES], err);
    html_tags(html, "<table>\n");
    put_auc_rows(html, &evaluation->verdict);
    put_accuracy_rows(html, &evaluation->verdict);
    html_tags(html, "</table>\n");
    return code;
}

static int put_galleries(struct html *html, const struct figures *figures, struct err *err)
{
    int code = 0;
    html_element(html, "h2", NULL, "What they look like");
    html_element(
        html, "p", NULL,
        "Each example: a colour stamp, the bands, their inverse variances; north is up where a stamp's y "
        "runs "
        "north. The magnitude is g corrected for extinction, P the network's probability of fake. Bands are "
        "stretched by asinh from -3 sigma to 10 sigma or the 99.8th percentile, inverse variance is "
        "linear from 0 to "
        "1.2 of its median or the 98th percentile, whichever is more; brown pixels have no weight.");
    for (int i = 0; i < VERDICT_PERCENTILES && !code; i++)
        code = page_put_figure(html, &figures->of[FIGURE_PERCENTILES + i], NULL, err);
    html_element(html, "h2", NULL, "The fakes that gave themselves away most");
    if (!code)
        code = page_put_figure(html, &figures->of[FIGURE_GIVEAWAYS], NULL, err);
    html_element(html, "h2", NULL, "The fakes that passed best");
    return code ? code : page_put_figure(html, &figures->of[FIGURE_PASSED], NULL, err);
}

static int put_training(struct html *html, const struct figures *figures, struct err *err)
{
    html_element(html, "h2", NULL, "How the network learned");
    return page_put_pair(html, &figures->of[FIGURE_LOSS], &figures->of[FIGURE_ACCURACY], err);
}

static void put_origin(struct html *html, const struct evaluation *evaluation)
{
    html_element(html, "h2", NULL, "How the data were made");
    page_put_manifest(html, dataset_manifest(evaluation->dataset));
    html_tags(html, "<table>\n");
    page_put_row(html, "model", "%s", evaluation->model);
    page_put_row(html, "dataset", "%s", evaluation->dataset_path);
    page_put_row(html, "dataset fingerprint", "%016" PRIx64, dataset_fingerprint(evaluation->dataset));
    page_put_row(html, "part", "%s", dataset_part_name(evaluation->part));
    page_put_row(html, "decoy", "%s, job %ld, attempt %d", DECOY_VERSION, evaluation->job->id,
                 evaluation->job->attempt);
    html_tags(
        html,
        "</table>\n<p class=\"note\">Beside this file: <code>predictions.h5</code> (one row an example), "
        "<code>verdict.json</code>, <code>plots/</code> (PNG, SVG, data and gnuplot script of each plot), "
        "<code>galleries/</code> (PNG).</p>\n");
}

int page_publish(const struct evaluation *evaluation, const struct figures *figures, const json_t *audit,
                 struct err *err)
{
    CLEANUP(html_destroy_ptr) struct html *html = NULL;
    CLEANUP(free_ptr) char *path = path_join(evaluation->out, "report.html");
    int code = html_create(&html, "decoy: can a network tell the fakes from the real galaxies?", err);
    if (code)
        return code;
    put_head(html, evaluation, audit);
    code = put_measure(html, evaluation, figures, err);
    if (!code)
        code = page_put_properties(html, evaluation, figures, err);
    if (!code)
        code = page_put_controls(html, evaluation, figures, err);
    const bool pictures = spec_bool(evaluation->job->spec, "pictures");
    if (!code && pictures)
        code = put_galleries(html, figures, err);
    if (!code && pictures)
        code = put_training(html, figures, err);
    html_element(html, "h2", NULL, "What a classifier could have cheated with");
    if (!audit)
        html_element(html, "p", "note", "No audit was given to this job.");
    checks_put(html, evaluation->audit_path, audit);
    put_origin(html, evaluation);
    return code ? code : html_publish(html, path, err);
}
