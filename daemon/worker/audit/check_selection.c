/* Checks on the distributions of catalogue columns: were both classes selected alike? */
#include "daemon/worker/audit/audit.h"
#include "common/str.h"
#include "daemon/worker/audit/statistics.h"

#include <errno.h>
#include <math.h>

/* Kolmogorov-Smirnov distances below LEAST_DISTANCE are of little use to a network; above, chance must be
 * unlikely. */
#define LEAST_DISTANCE 0.03
#define PROBABILITY    1e-4
enum { CURVE_POINTS = 200 };

struct sample {
    double *values[2]; /* by class, sorted */
    size_t counts[2];
};

static void sample_free(struct sample *sample)
{
    free(sample->values[0]);
    free(sample->values[1]);
}

/* What is compared of a column's finite values. */
struct aspect {
    const char *check, *column;
    bool fraction; /* their fractional parts */
    double most;   /* greater ones count as this; 0: none do */
};

static double aspect_of(const struct aspect *aspect, double value)
{
    if (aspect->fraction)
        return value - floor(value);
    return aspect->most > 0 ? fmin(value, aspect->most) : value;
}

/* -ENOENT: no such column. */
static int sample_read(const struct audit *audit, const struct aspect *aspect, struct sample *sample,
                       struct err *err)
{
    CLEANUP(free_ptr) double *all = calloc(audit->count + 1, sizeof *all);
    for (int label = 0; label < 2; label++)
        sample->values[label] = calloc(audit->count + 1, sizeof(double));
    if (!all || !sample->values[0] || !sample->values[1])
        return err_set(err, -ENOMEM, "column %s of %zu stamps does not fit in memory", aspect->column,
                       audit->count);
    int code = audit_column(audit, aspect->column, all, err);
    for (size_t i = 0; i < audit->count && !code; i++) {
        const int label = audit->labels[i];
        if (isfinite(all[i]))
            sample->values[label][sample->counts[label]++] = aspect_of(aspect, all[i]);
    }
    return code;
}

static double quantile(const double *sorted, size_t count, double q)
{
    return sorted[(size_t)(q * (double)(count - 1))];
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
            rows[i][label] = quantile(sample->values[label], sample->counts[label], rows[i][2]);
    }
    CLEANUP(free_ptr)
    char *script = str_format("set xlabel '%s'\nset ylabel 'share of the stamps below'\n"
                              "plot data using 1:3 with lines lc rgb real lw 1.4 title 'real', \\\n"
                              "     data using 2:3 with lines lc rgb fake lw 1.4 title 'fake'\n",
                              axis);
    const struct plot_table table = {columns, 3, CURVE_POINTS + 1, rows[0]};
    return audit_plot(audit, name, &table, 1, script, err);
}

/* The check of one column. -ENOENT, and no check, when the dataset has none or a class has no value. */
static int compare_column(struct audit *audit, const struct aspect *aspect, struct err *err)
{
    CLEANUP(sample_free) struct sample sample = {{NULL, NULL}, {0, 0}};
    int code = sample_read(audit, aspect, &sample, err);
    if (!code && (sample.counts[0] == 0 || sample.counts[1] == 0))
        code = -ENOENT;
    if (code)
        return code;
    const double distance =
        ks_distance(sample.values[0], sample.counts[0], sample.values[1], sample.counts[1]);
    const double p = ks_probability(distance, sample.counts[0], sample.counts[1]);
    const double threshold =
        fmax(LEAST_DISTANCE, ks_critical(PROBABILITY, sample.counts[0], sample.counts[1]));
    CLEANUP(free_ptr)
    char *axis = str_format("%s%s", aspect->fraction ? "fractional part of " : "", aspect->column);
    code = draw_curves(audit, aspect->check, axis, &sample, err);
    if (code)
        return code;
    const struct check check = {aspect->check, "", distance, NAN, threshold, audit->plotting};
    return check_add(audit, &check,
                     "%s of fakes and of reals are %s distributed: D = %.3f, p = %.2g, medians %.4g and %.4g "
                     "(%zu fakes, %zu reals)",
                     axis, distance > threshold ? "differently" : "alike", distance, p,
                     quantile(sample.values[1], sample.counts[1], 0.5),
                     quantile(sample.values[0], sample.counts[0], 0.5), sample.counts[1], sample.counts[0]);
}

static int compare_columns(struct audit *audit, const struct aspect *aspects, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        int code = compare_column(audit, &aspects[i], err);
        if (code && code != -ENOENT)
            return code;
    }
    return 0;
}

int check_fractions(struct audit *audit, struct err *err)
{
    static const struct aspect ASPECTS[] = {{"fractions_x", "x", true, 0}, {"fractions_y", "y", true, 0}};
    return compare_columns(audit, ASPECTS, 2, err);
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

int check_selection(struct audit *audit, struct err *err)
{
    const struct aspect aspects[] = {
        {"selection_mag_g", "mag_g", false, 0},
        {"selection_mag_r", "mag_r", false, 0},
        {"selection_mag_z", "mag_z", false, 0},
        {"selection_rhalf", "rhalf", false, 0},
        {"selection_neighbour", "neighbour", false, stamp_reach(audit)},
    };
    return compare_columns(audit, aspects, sizeof aspects / sizeof *aspects, err);
}
