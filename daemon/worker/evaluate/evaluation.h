/* What the files of evaluate/ share: one evaluation, its examples in the order of the dataset's part. */
#ifndef DECOY_EVALUATE_EVALUATION_H
#define DECOY_EVALUATE_EVALUATION_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/worker/dataset/dataset.h"
#include "daemon/worker/evaluate/calibration.h"
#include "daemon/worker/evaluate/controls.h"
#include "daemon/worker/evaluate/covariates.h"
#include "daemon/worker/evaluate/verdict.h"
#include "daemon/worker/job.h"
#include "daemon/worker/net/predictor.h"
#include "daemon/worker/report/html.h"

#include <stdbool.h>

enum { EVALUATION_BATCH = 64 }; /* stamps a forward pass */

struct evaluation {
    struct job *job;
    const char *out, *model, *dataset_path, *audit_path; /* of the spec; audit_path may be NULL */
    struct dataset *dataset;
    enum dataset_part part;
    size_t n;
    struct predictor *predictor;
    bool sham; /* the network learnt labels that were drawn by lot, and is asked for the like */
    /* On rank 0 alone, n items each: */
    double *score;
    uint8_t *label;
    double *mag_g;   /* NULL without the column */
    uint32_t *brick; /* NULL without the column */
    size_t bricks;
    struct verdict verdict;
    struct calibration calibration;
    struct covariates covariates;
    json_t *controls; /* of controls_read */
};

/* predict.c: every example once, the ranks sharing them by contiguous ranges; all scores come to rank 0's
 * evaluation->score. Collective. -ECANCELED when asked to stop. */
int predict_part(struct evaluation *evaluation, struct err *err);

/* predictions.c: <out>/predictions.h5, one row an example: its columns of index.h5, label, and score =
 * P(fake). */
int predictions_publish(const struct evaluation *evaluation, struct err *err);

/* figures.c: PNG galleries in <out>/galleries and plots in <out>/plots. A figure that cannot be drawn is a
 * warning to the daemon and a sentence in the report: the verdict does not hang on it. */
enum figure_kind { FIGURE_PLOT, FIGURE_GALLERY };

struct figure {
    enum figure_kind kind;
    char *path;    /* of the PNG, or of a plot's SVG; NULL: not drawn, caption says why */
    char *caption; /* with every number's n */
};

enum {
    FIGURE_ROC,
    FIGURE_SCORES,
    FIGURE_CALIBRATION,
    FIGURE_LOSS,
    FIGURE_ACCURACY,
    FIGURE_PERCENTILES, /* one each */
    FIGURE_GIVEAWAYS = FIGURE_PERCENTILES + VERDICT_PERCENTILES,
    FIGURE_PASSED,
    FIGURE_PROPERTIES, /* one each, as many as the verdict has */
    FIGURE_MAX = FIGURE_PROPERTIES + VERDICT_PROPERTIES_MAX
};

struct figures {
    struct figure of[FIGURE_MAX];
};

int figures_draw(struct figures *figures, const struct evaluation *evaluation, struct err *err);
void figures_free(struct figures *figures);
CLEANUP_DEFINE(figures_free_ptr, struct figures, figures_free)

/* galleries.c and plots.c, for figures.c: each fills path and caption of one figure. */
int gallery_of_percentile(struct figure *figure, const struct evaluation *evaluation, int percentile,
                          struct err *err);
int gallery_of_fakes(struct figure *figure, const struct evaluation *evaluation, bool giveaways,
                     struct err *err);
int plot_roc(struct figure *figure, const struct evaluation *evaluation, struct err *err);
int plot_scores(struct figure *figure, const struct evaluation *evaluation, struct err *err);
int plot_calibration(struct figure *figure, const struct evaluation *evaluation, struct err *err);
int plot_by_property(struct figure *figure, const struct evaluation *evaluation, size_t property,
                     struct err *err);
int plot_learning(struct figure *figure, const struct evaluation *evaluation, bool accuracy, struct err *err);

/* For page.c, of the files page_*.c: a figure with its caption, and a row "name, text" of a table. */
int page_put_figure(struct html *html, const struct figure *figure, const char *class_name, struct err *err);
int page_put_pair(struct html *html, const struct figure *left, const struct figure *right, struct err *err);
void page_put_row(struct html *html, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int page_put_properties(struct html *html, const struct evaluation *evaluation, const struct figures *figures,
                        struct err *err);
int page_put_controls(struct html *html, const struct evaluation *evaluation, const struct figures *figures,
                      struct err *err);

/* page.c: <out>/report.html. audit: audit.json of an audit job, or NULL. */
int page_publish(const struct evaluation *evaluation, const struct figures *figures, const json_t *audit,
                 struct err *err);

#endif
