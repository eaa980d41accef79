/* Checks on the distributions of catalogue columns: were both classes selected alike? */
#include "daemon/worker/audit/compare.h"
#include "common/str.h"
#include "daemon/worker/audit/statistics.h"
#include "daemon/worker/report/choice.h"
#include "daemon/worker/statistics/auc.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Kolmogorov-Smirnov distances below this are of little use to a network. */
#define LEAST_DISTANCE 0.03
enum { CURVE_POINTS = 200 };

/* What is compared of a column's finite values. */
struct aspect {
    const char *check, *column, *unit;
    const char *minus; /* another column that is taken off; NULL: none */
    bool fraction;     /* their fractional parts */
    double most;       /* greater ones count as this; 0: none do */
};

struct sample {
    double *all;       /* one a stamp, or NAN */
    double *values[2]; /* the finite ones by class, sorted */
    size_t counts[2];
    double effect; /* as difference's */
    double auc;    /* of a fake against a real one; NAN: not measured */
};

static void sample_free(struct sample *sample)
{
    free(sample->all);
    free(sample->values[0]);
    free(sample->values[1]);
}

static double aspect_of(const struct aspect *aspect, double value)
{
    if (aspect->fraction)
        return value - floor(value);
    return aspect->most > 0 ? fmin(value, aspect->most) : value;
}

/* sample->all. -ENOENT: no such column. */
static int read_values(const struct audit *audit, const struct aspect *aspect, struct sample *sample,
                       struct err *err)
{
    CLEANUP(free_ptr) double *other = calloc(audit->count + 1, sizeof *other);
    sample->all = calloc(audit->count + 1, sizeof *sample->all);
    if (!sample->all || !other)
        return err_set(err, -ENOMEM, "column %s of %zu stamps does not fit in memory", aspect->column,
                       audit->count);
    int code = audit_column(audit, aspect->column, sample->all, err);
    if (!code && aspect->minus)
        code = audit_column(audit, aspect->minus, other, err);
    for (size_t i = 0; i < audit->count && !code; i++)
        sample->all[i] = isfinite(sample->all[i]) ? aspect_of(aspect, sample->all[i] - other[i]) : NAN;
    return code;
}

static int measure_auc(const struct audit *audit, struct sample *sample, struct err *err)
{
    CLEANUP(free_ptr) double *score = calloc(audit->count + 1, sizeof *score);
    CLEANUP(free_ptr) uint8_t *label = calloc(audit->count + 1, 1);
    struct auc auc;
    size_t n = 0;
    if (!score || !label)
        return err_set(err, -ENOMEM, "a column of %zu stamps does not fit in memory", audit->count);
    for (size_t i = 0; i < audit->count; i++) {
        if (!isfinite(sample->all[i]))
            continue;
        score[n] = sample->all[i];
        label[n++] = audit->labels[i];
    }
    sample->auc = auc_measure(&auc, score, label, NULL, 0, n, NULL) == 0 ? auc.value : NAN;
    return 0;
}

static int sample_read(const struct audit *audit, const struct aspect *aspect, struct sample *sample,
                       struct err *err)
{
    struct difference difference;
    int code = read_values(audit, aspect, sample, err);
    for (int label = 0; label < 2 && !code; label++) {
        sample->values[label] = calloc(audit->count + 1, sizeof(double));
        if (!sample->values[label])
            return err_set(err, -ENOMEM, "column %s of %zu stamps does not fit in memory", aspect->column,
                           audit->count);
    }
    for (size_t i = 0; i < audit->count && !code; i++) {
        const int label = audit->labels[i];
        if (isfinite(sample->all[i]))
            sample->values[label][sample->counts[label]++] = sample->all[i];
    }
    for (int label = 0; label < 2 && !code; label++)
        sort_values(sample->values[label], sample->counts[label]);
    if (!code)
        code = compare_values(audit, sample->all, &difference, err);
    sample->effect = code ? 1 : difference.effect;
    return code ? code : measure_auc(audit, sample, err);
}

/* Both cumulative distributions. */
static int draw_curves(const struct audit *audit, const char *name, const char *axis,
                       const struct sample *sample, struct err *err)
{
    static const char *const columns[] = {"real", "fake", "share"};
    double rows[CURVE_POINTS + 1][3];
    for (int i = 0; i <= CURVE_POINTS; i++) {
        rows[i][2] = (double)i / CURVE_POINTS;
        for (int label = 0; label < 2; label++)
            rows[i][label] =
                choice_percentile(sample->values[label], sample->counts[label], 100 * rows[i][2]);
    }
    CLEANUP(free_ptr)
    char *script = str_format("set xlabel '%s'\nset ylabel 'share of the stamps below'\nset key top left\n"
                              "plot data using 1:3 with lines lc rgb real lw 1.4 title 'real', \\\n"
                              "     data using 2:3 with lines lc rgb fake lw 1.4 title 'fake'\n",
                              axis);
    const struct plot_table table = {columns, 3, CURVE_POINTS + 1, rows[0]};
    return audit_plot(audit, name, &table, 1, script, err);
}

/* What the values are: "g - r", "the fractional part of x". Fresh memory. */
static char *describe(const struct aspect *aspect)
{
    const char *column = strncmp(aspect->column, "mag_", 4) == 0 ? aspect->column + 4 : aspect->column;
    if (aspect->minus)
        return str_format("%s - %s", column, aspect->minus + strlen("mag_"));
    return str_format("%s%s", aspect->fraction ? "the fractional part of " : "", column);
}

/* Fewer stamps than there are, where those of a brick hang together. */
static size_t independent(const struct sample *sample, int label)
{
    return (size_t)fmax(1, (double)sample->counts[label] / sample->effect);
}

static int judge_column(struct audit *audit, const struct aspect *aspect, const struct sample *sample,
                        const char *what)
{
    const double distance =
        ks_distance(sample->values[0], sample->counts[0], sample->values[1], sample->counts[1]);
    const size_t reals = independent(sample, 0), fakes = independent(sample, 1);
    const double p = ks_probability(distance, reals, fakes);
    const struct check check = {.name = aspect->check,
                                .unit = "",
                                .value = distance,
                                .error = NAN,
                                .p = p,
                                .threshold = fmax(LEAST_DISTANCE, ks_critical(audit->alpha, reals, fakes)),
                                .plotted = true};
    return check_add(
        audit, &check,
        "%s is distributed %s fakes and reals: D = %.3f, p = %.2g, AUC %.3f, medians %.2f and %.2f%s%s "
        "(%zu fakes, %zu reals)",
        what, distance > check.threshold ? "differently in" : "alike in", distance, p, sample->auc,
        choice_percentile(sample->values[1], sample->counts[1], 50),
        choice_percentile(sample->values[0], sample->counts[0], 50), aspect->unit[0] ? " " : "", aspect->unit,
        sample->counts[1], sample->counts[0]);
}

static int compare_column(struct audit *audit, const struct aspect *aspect, struct err *err)
{
    CLEANUP(sample_free) struct sample sample = {0};
    CLEANUP(free_ptr) char *what = describe(aspect);
    CLEANUP(free_ptr) char *axis = str_format("%s%s%s", what, aspect->unit[0] ? ", " : "", aspect->unit);
    int code = sample_read(audit, aspect, &sample, err);
    if (code == -ENOENT)
        return check_add_impossible(audit, aspect->check, "the dataset has no column %s%s%s", aspect->column,
                                    aspect->minus ? " or no column " : "",
                                    aspect->minus ? aspect->minus : "");
    if (code)
        return code;
    if (sample.counts[0] == 0 || sample.counts[1] == 0)
        return check_add_impossible(audit, aspect->check, "column %s has no value for one of the classes",
                                    aspect->column);
    code = draw_curves(audit, aspect->check, axis, &sample, err);
    return code ? code : judge_column(audit, aspect, &sample, what);
}

int check_fractions(struct audit *audit, struct err *err)
{
    static const struct aspect ASPECTS[] = {
        {.check = "fractions_x", .column = "x", .unit = "px", .fraction = true},
        {.check = "fractions_y", .column = "y", .unit = "px", .fraction = true}};
    int code = compare_column(audit, &ASPECTS[0], err);
    return code ? code : compare_column(audit, &ASPECTS[1], err);
}

/* Arcsec from a stamp's middle to its corner; 0 when the cutouts do not say their pixel scale. A neighbour
 * farther away is in no stamp, and injections keep their distance from one another there. */
static double stamp_reach(const struct audit *audit)
{
    double pixscale = 0;
    json_unpack((json_t *)dataset_manifest(audit->dataset), "{s{s{s[{sF}]}}}", "provenance", "real",
                "pixscale", "value", &pixscale);
    return pixscale * dataset_stamp(audit->dataset) * M_SQRT1_2;
}

/* A band's magnitude, and its colour with the next band. */
static int compare_band(struct audit *audit, int band, struct err *err)
{
    const char *name = audit->layout.names[band];
    CLEANUP(free_ptr) char *column = str_format("mag_%s", name);
    CLEANUP(free_ptr) char *check = str_format("selection_%s", column);
    int code = compare_column(audit, &(struct aspect){.check = check, .column = column, .unit = "mag"}, err);
    if (code || band + 1 == audit->layout.bands)
        return code;
    CLEANUP(free_ptr) char *minus = str_format("mag_%s", audit->layout.names[band + 1]);
    CLEANUP(free_ptr) char *colour = str_format("selection_%s_%s", name, minus + strlen("mag_"));
    return compare_column(
        audit, &(struct aspect){.check = colour, .column = column, .unit = "mag", .minus = minus}, err);
}

int check_selection(struct audit *audit, struct err *err)
{
    int code = 0;
    for (int band = 0; band < audit->layout.bands && !code; band++)
        code = compare_band(audit, band, err);
    if (!code)
        code = compare_column(
            audit, &(struct aspect){.check = "selection_rhalf", .column = "rhalf", .unit = "arcsec"}, err);
    const struct aspect neighbour = {
        .check = "selection_neighbour", .column = "neighbour", .unit = "arcsec", .most = stamp_reach(audit)};
    return code ? code : compare_column(audit, &neighbour, err);
}
