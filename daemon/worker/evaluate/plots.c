/* The plots of a report, in <out>/plots: data, script, PNG and SVG of each. */
#include "daemon/worker/report/plot.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/evaluate/evaluation.h"
#include "daemon/worker/evaluate/history.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static int publish(struct figure *figure, const struct evaluation *evaluation, const char *name,
                   const struct plot_table *tables, size_t count, const char *script, struct err *err)
{
    CLEANUP(free_ptr) char *directory = path_join(evaluation->out, "plots");
    CLEANUP(free_ptr) char *path = str_format("%s/%s.svg", directory, name);
    int code = plot_publish(directory, name, tables, count, script, err);
    if (!code)
        figure->path = TAKE(path);
    return code;
}

int plot_roc(struct figure *figure, const struct evaluation *evaluation, struct err *err)
{
    enum { POINTS_MAX = 1000 };
    static const char *const columns[] = {"reals_called_fake", "fakes_called_fake"};
    static const char script[] =
        "set xlabel 'share of the reals called fake'\n"
        "set ylabel 'share of the fakes called fake'\n"
        "set size square\nset xrange [0:1]\nset yrange [0:1]\nset xtics 0.2\nset ytics 0.2\n"
        "unset key\n"
        "plot x with lines lc rgb neutral dt 2 lw 1, \\\n"
        "     data using 1:2 with lines lc rgb fake lw 1.6\n";
    const struct verdict *verdict = &evaluation->verdict;
    double x[POINTS_MAX], y[POINTS_MAX], values[2 * POINTS_MAX];
    size_t count = auc_curve(evaluation->score, evaluation->label, evaluation->n, x, y, POINTS_MAX);
    if (count == 0)
        return err_set(err, -ENOMEM, "out of memory for the ROC curve");
    for (size_t i = 0; i < count; i++) {
        values[2 * i] = x[i];
        values[2 * i + 1] = y[i];
    }
    const struct plot_table table = {columns, 2, count, values};
    figure->caption =
        str_format("ROC: AUC %.3f, 95 %% interval %.3f to %.3f; %zu fakes, %zu reals. Dashed: chance.",
                   verdict->auc.value, verdict->auc_low, verdict->auc_high, verdict->fakes, verdict->reals);
    return publish(figure, evaluation, "roc", &table, 1, script, err);
}

int plot_scores(struct figure *figure, const struct evaluation *evaluation, struct err *err)
{
    enum { BINS = 40 };
    static const char *const columns[] = {"low", "high", "real_share", "fake_share"};
    static const char script[] =
        "set xlabel 'P(fake)'\n"
        "set ylabel 'share of the class'\n"
        "set xrange [0:1]\nset yrange [0:*]\n"
        "plot data using (($1+$2)/2):3:($2-$1) with boxes fs solid 0.25 noborder lc rgb real notitle, \\\n"
        "     data using (($1+$2)/2):4:($2-$1) with boxes fs solid 0.25 noborder lc rgb fake notitle, \\\n"
        "     data using (($1+$2)/2):3 with histeps lc rgb real lw 1.4 title 'real', \\\n"
        "     data using (($1+$2)/2):4 with histeps lc rgb fake lw 1.4 title 'fake'\n";
    double values[BINS][4] = {{0}};
    for (int i = 0; i < BINS; i++) {
        values[i][0] = (double)i / BINS;
        values[i][1] = (double)(i + 1) / BINS;
    }
    for (size_t i = 0; i < evaluation->n; i++) {
        int bin = (int)(evaluation->score[i] * BINS);
        bin = bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin;
        values[bin][2 + evaluation->label[i]] +=
            1.0 / (double)(evaluation->label[i] ? evaluation->verdict.fakes : evaluation->verdict.reals);
    }
    const struct plot_table table = {columns, 4, BINS, values[0]};
    figure->caption = str_format(
        "The network's P(fake) for %zu real and %zu fake examples; above 0.5 a stamp is called fake.",
        evaluation->verdict.reals, evaluation->verdict.fakes);
    return publish(figure, evaluation, "scores", &table, 1, script, err);
}

/* Rows of low, high, AUC, its interval, fakes, reals; only of the ranges that have both classes. */
static size_t fill_bins(double values[VERDICT_BINS][7], const struct verdict_property *property)
{
    size_t measured = 0;
    for (size_t i = 0; i < VERDICT_BINS; i++) {
        const struct verdict_bin *bin = &property->bins[i];
        const double row[7] = {bin->low,      bin->high,          bin->auc.value,    bin->auc_low,
                               bin->auc_high, (double)bin->fakes, (double)bin->reals};
        if (bin->measured)
            memcpy(values[measured++], row, sizeof row);
    }
    return measured;
}

int plot_by_property(struct figure *figure, const struct evaluation *evaluation, size_t which,
                     struct err *err)
{
    static const char *const columns[] = {"from", "to", "auc", "low", "high", "n_fake", "n_real"};
    const struct verdict *verdict = &evaluation->verdict;
    const struct property *of = verdict->properties[which].of;
    double values[VERDICT_BINS][7];
    size_t measured = fill_bins(values, &verdict->properties[which]);
    if (measured == 0)
        return err_set(err, -ENOENT, "no range of %s has two examples of each class", of->label);
    double low = values[0][0], high = values[measured - 1][1], room = fmax(0.04 * (high - low), 1e-3);
    CLEANUP(free_ptr) char *unit = of->unit[0] ? str_format(" (%s)", of->unit) : str_format("%s", "");
    CLEANUP(free_ptr) char *name = str_format("auc-by-%s", of->name);
    CLEANUP(free_ptr)
    char *script = str_format(
        "set xlabel '%s%s'\n"
        "set ylabel 'AUC'\n"
        "set xrange [%g:%g]\nset yrange [*<0.4:0.6<*]\n"
        "plot 0.5 with lines lc rgb neutral dt 2 lw 1 title 'chance', \\\n"
        "     %g with lines lc rgb neutral dt 3 lw 1.4 title '0.5 + delta', \\\n"
        "     data using (($1+$2)/2):3:1:2:4:5 with xyerrorbars pt 7 ps 0.9 lw 1.4 lc rgb fake title 'AUC, "
        "95 %%'\n",
        of->label, unit, low - room, high + room, 0.5 + verdict->delta);
    const struct plot_table table = {columns, 7, measured, values[0]};
    figure->caption =
        str_format("AUC by %s: ranges between the percentiles 1, 25, 50, 75, 99 of %zu examples, with 95 %% "
                   "intervals.",
                   of->label, verdict->n);
    return publish(figure, evaluation, name, &table, 1, script, err);
}

int plot_calibration(struct figure *figure, const struct evaluation *evaluation, struct err *err)
{
    static const char *const columns[] = {"score", "share", "low", "high", "n"};
    static const char script[] =
        "set xlabel 'P(fake), mean of a tenth of the examples'\n"
        "set ylabel 'share of fakes among them'\n"
        "set size square\nset xrange [0:1]\nset yrange [0:1]\nset xtics 0.2\nset ytics 0.2\n"
        "unset key\n"
        "plot x with lines lc rgb neutral dt 2 lw 1, \\\n"
        "     data using 1:2:3:4 with yerrorbars pt 7 ps 0.9 lw 1.4 lc rgb fake\n";
    const struct calibration *calibration = &evaluation->calibration;
    double values[CALIBRATION_BINS][5];
    for (size_t i = 0; i < calibration->bin_count; i++) {
        const double n = (double)calibration->bins[i].n;
        const double row[5] = {calibration->bins[i].score, (double)calibration->bins[i].fakes / n,
                               calibration->bins[i].low, calibration->bins[i].high, n};
        memcpy(values[i], row, sizeof row);
    }
    const struct plot_table table = {columns, 5, calibration->bin_count, values[0]};
    figure->caption = str_format("Does P mean what it says? %zu examples in %zu groups of like P, with 95 %% "
                                 "intervals. Dashed: it does.",
                                 evaluation->n, calibration->bin_count);
    return publish(figure, evaluation, "calibration", &table, 1, script, err);
}

int plot_learning(struct figure *figure, const struct evaluation *evaluation, bool accuracy, struct err *err)
{
    static const char *const columns[] = {"step", "value"};
    CLEANUP(history_free_ptr) struct history *history = NULL;
    int code = history_read(&history, evaluation->model, accuracy, err);
    if (code)
        return code;
    CLEANUP(free_ptr)
    char *script = str_format(
        "set xlabel 'step'\n"
        "set ylabel '%s'\n"
        "set xrange [0:*]\nset yrange [%s]\n"
        "plot %s with lines lc rgb neutral dt 2 lw 1 title 'chance', \\\n"
        "     data index 0 using 1:2 with lines lc rgb real lw 1.1 title 'training'%s\n",
        accuracy ? "accuracy" : "cross-entropy (nats)", accuracy ? "*<0.4:1.02" : "0:*<1.5",
        accuracy ? "0.5" : "log(2)",
        history->valid.rows ? ", \\\n     data index 1 using 1:2 with linespoints pt 7 ps 0.7 lc rgb fake lw "
                              "1.4 title 'validation'"
                            : "");
    const struct plot_table tables[] = {{columns, 2, history->train.rows, history->train.values},
                                        {columns, 2, history->valid.rows, history->valid.values}};
    figure->caption = str_format(
        "%s over %zu logged steps%s of the training run; validation after each of %zu epochs.",
        accuracy ? "Accuracy" : "Loss", history->logged,
        history->train.rows < history->logged ? " (averaged to fewer points)" : "", history->valid.rows);
    return publish(figure, evaluation, accuracy ? "learning-accuracy" : "learning-loss", tables,
                   history->valid.rows ? 2 : 1, script, err);
}
