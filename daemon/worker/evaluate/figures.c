/* All figures of a report, each on its own: one that fails leaves its reason as its caption. */
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/evaluate/evaluation.h"

static int draw(struct figure *figure, const struct evaluation *evaluation, int which, struct err *err)
{
    const bool plots = which < FIGURE_PERCENTILES || which >= FIGURE_PROPERTIES;
    figure->kind = plots ? FIGURE_PLOT : FIGURE_GALLERY;
    if (which >= FIGURE_PROPERTIES)
        return plot_by_property(figure, evaluation, (size_t)(which - FIGURE_PROPERTIES), err);
    switch (which) {
    case FIGURE_ROC:
        return plot_roc(figure, evaluation, err);
    case FIGURE_SCORES:
        return plot_scores(figure, evaluation, err);
    case FIGURE_CALIBRATION:
        return plot_calibration(figure, evaluation, err);
    case FIGURE_LOSS:
    case FIGURE_ACCURACY:
        return plot_learning(figure, evaluation, which == FIGURE_ACCURACY, err);
    case FIGURE_GIVEAWAYS:
    case FIGURE_PASSED:
        return gallery_of_fakes(figure, evaluation, which == FIGURE_GIVEAWAYS, err);
    default:
        return gallery_of_percentile(figure, evaluation, which - FIGURE_PERCENTILES, err);
    }
}

int figures_draw(struct figures *figures, const struct evaluation *evaluation, struct err *err)
{
    CLEANUP(free_ptr) char *plots = path_join(evaluation->out, "plots");
    CLEANUP(free_ptr) char *galleries = path_join(evaluation->out, "galleries");
    int code = path_make_directories(plots, 0777, err);
    if (!code)
        code = path_make_directories(galleries, 0777, err);
    const int count = FIGURE_PROPERTIES + (int)evaluation->verdict.property_count;
    for (int i = 0; i < count && !code; i++) {
        struct err problem = {0};
        if (draw(&figures->of[i], evaluation, i, &problem) == 0)
            continue;
        link_warning(evaluation->job->link, "a figure is missing from the report: %s", problem.text);
        free(figures->of[i].caption);
        figures->of[i].caption = str_format("Not drawn: %s.", problem.text);
    }
    return code;
}

void figures_free(struct figures *figures)
{
    for (int i = 0; figures && i < FIGURE_MAX; i++) {
        free(figures->of[i].path);
        free(figures->of[i].caption);
    }
    free(figures);
}
