/* Checks on what the pixels say: centroids, invvar, the rim of the stamps. */
#include "daemon/worker/audit/audit.h"
#include "common/str.h"
#include "daemon/worker/audit/statistics.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Below these a difference is of no use to a network of today; four errors where those are larger. */
#define PLACEMENT_PX      0.1
#define INVVAR_THRESHOLD  0.01
#define LEVEL_THRESHOLD   0.05
#define NOISE_THRESHOLD   0.02
#define TEXTURE_THRESHOLD 0.01
#define ERRORS            4.0
enum { POINTS_MAX = 3000, BINS = 60 };

/* A quantity of every stamp, or NAN; which: its band or axis. */
typedef double quantity(const struct audit *audit, size_t stamp, int which);

/* fake - real, and its error. counts: how many stamps had a value. */
struct difference {
    double value, error, mean[2];
    size_t counts[2];
};

/* Of one value a stamp. */
static int compare_values(const struct audit *audit, const double *values, struct difference *difference,
                          struct err *err)
{
    CLEANUP(free_ptr) double *some = calloc(audit->count + 1, sizeof *some);
    double variance = 0;
    if (!some)
        return err_set(err, -ENOMEM, "the measures of %zu stamps do not fit in memory", audit->count);
    for (int label = 0; label < 2; label++) {
        size_t count = 0;
        for (size_t i = 0; i < audit->count; i++) {
            if (audit->labels[i] == label)
                some[count++] = values[i];
        }
        const struct summary summary = summarise(some, count);
        difference->mean[label] = summary.mean;
        difference->counts[label] = summary.count;
        variance += summary.error * summary.error;
    }
    difference->value = difference->mean[1] - difference->mean[0];
    difference->error = sqrt(variance);
    return 0;
}

static int compare_classes(const struct audit *audit, quantity *of, int which, struct difference *difference,
                           struct err *err)
{
    CLEANUP(free_ptr) double *values = calloc(audit->count + 1, sizeof *values);
    if (!values)
        return err_set(err, -ENOMEM, "the measures of %zu stamps do not fit in memory", audit->count);
    for (size_t i = 0; i < audit->count; i++)
        values[i] = of(audit, i, which);
    return compare_values(audit, values, difference, err);
}

/* The one of `count` differences that exceeds its threshold most. */
static size_t find_worst(const struct difference *differences, size_t count, double least)
{
    size_t worst = 0;
    double ratio = -1;
    for (size_t i = 0; i < count; i++) {
        double here = fabs(differences[i].value) / fmax(least, ERRORS * differences[i].error);
        if (here > ratio) {
            ratio = here;
            worst = i;
        }
    }
    return worst;
}

static struct check check_of(const struct audit *audit, const char *name, const char *unit,
                             const struct difference *difference, double least)
{
    double threshold = fmax(least, ERRORS * difference->error);
    return (struct check){name,
                          unit,
                          fabs(difference->value),
                          difference->error,
                          isfinite(threshold) ? threshold : least,
                          audit->plotting};
}

/* A band's values by class as two histograms over the central 98 %: rows of value, real, fake. */
static int histogram_of(const struct audit *audit, quantity *of, int which, double rows[BINS][3])
{
    CLEANUP(free_ptr) double *values = calloc(audit->count + 1, sizeof *values);
    if (!values)
        return -ENOMEM;
    for (size_t i = 0; i < audit->count; i++)
        values[i] = of(audit, i, which);
    const size_t kept = keep_finite(values, audit->count);
    sort_values(values, kept);
    const double low = kept ? values[kept / 100] : 0, high = kept ? values[kept - 1 - kept / 100] : 1;
    const double step = high > low ? (high - low) / BINS : 1;
    double totals[2] = {0, 0};
    for (int b = 0; b < BINS; b++)
        memcpy(rows[b], (double[]){low + (b + 0.5) * step, 0, 0}, sizeof rows[b]);
    for (size_t i = 0; i < audit->count; i++) {
        const double bin = (of(audit, i, which) - low) / step;
        if (!(bin >= 0 && bin < BINS))
            continue;
        rows[(int)bin][1 + audit->labels[i]]++;
        totals[audit->labels[i]]++;
    }
    for (int b = 0; b < BINS; b++) {
        rows[b][1] /= fmax(totals[0], 1);
        rows[b][2] /= fmax(totals[1], 1);
    }
    return 0;
}

static int draw_histogram(const struct audit *audit, const char *name, const char *label, quantity *of,
                          int which, struct err *err)
{
    static const char *const columns[] = {"value", "real", "fake"};
    double rows[BINS][3];
    if (histogram_of(audit, of, which, rows) != 0)
        return err_set(err, -ENOMEM, "the measures of %zu stamps do not fit in memory", audit->count);
    CLEANUP(free_ptr)
    char *script = str_format("set xlabel '%s'\nset ylabel 'share of the class'\nset yrange [0:*]\n"
                              "plot data using 1:2 with histeps lc rgb real lw 1.4 title 'real', \\\n"
                              "     data using 1:3 with histeps lc rgb fake lw 1.4 title 'fake'\n",
                              label);
    const struct plot_table table = {columns, 3, BINS, rows[0]};
    return audit_plot(audit, name, &table, 1, script, err);
}

/* Bands side by side, a histogram of the worst one, and a check of it. */
static int check_bands(struct audit *audit, const char *name, const char *what, const char *axis,
                       quantity *of, double least, struct err *err)
{
    struct difference differences[BANDS_MAX] = {{0}};
    int code = 0;
    for (int b = 0; b < audit->layout.bands && !code; b++)
        code = compare_classes(audit, of, b, &differences[b], err);
    if (code)
        return code;
    const size_t worst = find_worst(differences, (size_t)audit->layout.bands, least);
    const struct difference *difference = &differences[worst];
    CLEANUP(free_ptr) char *label = str_format("%s, band %s", axis, audit->layout.names[worst]);
    code = draw_histogram(audit, name, label, of, (int)worst, err);
    if (code)
        return code;
    const struct check check = check_of(audit, name, "", difference, least);
    const bool warn = !(check.value <= check.threshold);
    return check_add(
        audit, &check,
        "%s: %s of fakes %s that of reals, %+.4f against %+.4f in %s (error %.4f; %zu fakes, %zu reals)",
        warn ? "a network can tell by it" : "alike", what, warn ? "differs from" : "is", difference->mean[1],
        difference->mean[0], audit->layout.names[worst], difference->error, difference->counts[1],
        difference->counts[0]);
}

/* Centroid against the nominal place of the source: pixel S/2 plus the fractional part of its position. */
struct offsets {
    double *x, *y; /* px */
};

static void offsets_free(struct offsets *offsets)
{
    free(offsets->x);
    free(offsets->y);
}

/* Columns x and y hold the positions; without them, or at NAN, sources lie in the middle of their pixels on
 * the mean. */
static int find_offsets(const struct audit *audit, struct offsets *offsets, struct err *err)
{
    offsets->x = calloc(audit->count + 1, sizeof *offsets->x);
    offsets->y = calloc(audit->count + 1, sizeof *offsets->y);
    if (!offsets->x || !offsets->y)
        return err_set(err, -ENOMEM, "the centroids of %zu stamps do not fit in memory", audit->count);
    int code = audit_column(audit, "x", offsets->x, err);
    if (!code)
        code = audit_column(audit, "y", offsets->y, err);
    if (code && code != -ENOENT)
        return code;
    const double middle = audit->layout.side / 2;
    for (size_t i = 0; i < audit->count; i++) {
        const bool known = !code && isfinite(offsets->x[i]) && isfinite(offsets->y[i]);
        const double fx = known ? offsets->x[i] - floor(offsets->x[i]) : 0.5,
                     fy = known ? offsets->y[i] - floor(offsets->y[i]) : 0.5;
        offsets->x[i] = audit->measures[i].x_px - middle - fx;
        offsets->y[i] = audit->measures[i].y_px - middle - fy;
    }
    return 0;
}

/* At most POINTS_MAX rows of a class; one of NaN where there is none, for a block must not be empty. */
static size_t list_offsets(const struct audit *audit, const struct offsets *offsets, int label, double *rows)
{
    size_t count = 0;
    for (size_t i = 0; i < audit->count && count < POINTS_MAX; i++) {
        if (audit->labels[i] != label || !isfinite(offsets->x[i]) || !isfinite(offsets->y[i]))
            continue;
        rows[2 * count] = offsets->x[i];
        rows[2 * count++ + 1] = offsets->y[i];
    }
    if (count > 0)
        return count;
    rows[0] = rows[1] = NAN;
    return 1;
}

/* Block 0: reals, block 1: fakes, 2 and 3: their means. */
static int draw_placement(const struct audit *audit, const struct offsets *offsets,
                          const struct difference differences[2], struct err *err)
{
    static const char *const columns[] = {"x_px", "y_px"};
    static const char script[] =
        "set xlabel 'centroid - nominal place in x (px)'\nset ylabel 'in y (px)'\nset size ratio -1\n"
        "set xrange [-1.5:1.5]\nset yrange [-1.5:1.5]\nset xtics 0.5\nset ytics 0.5\n"
        "plot data index 0 with points pt 7 ps 0.25 lc rgb real notitle, \\\n"
        "     data index 1 with points pt 7 ps 0.25 lc rgb fake notitle, \\\n"
        "     data index 2 with points pt 2 ps 2 lw 2 lc rgb '#0b3c68' title 'mean of reals', \\\n"
        "     data index 3 with points pt 1 ps 2 lw 2 lc rgb '#7d2f0c' title 'mean of fakes'\n";
    CLEANUP(free_ptr) double *rows = calloc(2 * 2 * POINTS_MAX, sizeof *rows);
    if (!rows)
        return err_set(err, -ENOMEM, "out of memory for the plot of placement");
    const double means[2][2] = {{differences[0].mean[0], differences[1].mean[0]},
                                {differences[0].mean[1], differences[1].mean[1]}};
    const size_t reals = list_offsets(audit, offsets, 0, rows),
                 fakes = list_offsets(audit, offsets, 1, rows + 2 * POINTS_MAX);
    const struct plot_table tables[] = {{columns, 2, reals, rows},
                                        {columns, 2, fakes, rows + 2 * POINTS_MAX},
                                        {columns, 2, 1, means[0]},
                                        {columns, 2, 1, means[1]}};
    return audit_plot(audit, "placement", tables, 4, script, err);
}

int check_placement(struct audit *audit, struct err *err)
{
    CLEANUP(offsets_free) struct offsets offsets = {NULL, NULL};
    struct difference differences[2];
    int code = find_offsets(audit, &offsets, err);
    if (!code)
        code = compare_values(audit, offsets.x, &differences[0], err);
    if (!code)
        code = compare_values(audit, offsets.y, &differences[1], err);
    if (code)
        return code;
    code = draw_placement(audit, &offsets, differences, err);
    if (code)
        return code;
    const struct difference *worst = &differences[find_worst(differences, 2, PLACEMENT_PX)];
    const struct check check = check_of(audit, "placement", "px", worst, PLACEMENT_PX);
    if (!isfinite(worst->value))
        return check_add(audit, &check, "too few sources are bright enough for a centroid");
    return check_add(audit, &check,
                     "fakes lie (%+.3f, %+.3f) px from where reals lie in their stamps (error %.3f px; %zu "
                     "fakes, %zu reals)%s",
                     differences[0].value, differences[1].value, worst->error, worst->counts[1],
                     worst->counts[0], check.value > check.threshold ? ": a network can tell by it" : "");
}

static double dip_of(const struct audit *audit, size_t stamp, int band)
{
    return audit->measures[stamp].dip[band];
}

static double level_of(const struct audit *audit, size_t stamp, int band)
{
    return audit->measures[stamp].level[band];
}

static double noise_of(const struct audit *audit, size_t stamp, int band)
{
    return audit->measures[stamp].noise[band];
}

static double texture_of(const struct audit *audit, size_t stamp, int band)
{
    return audit->measures[stamp].texture[band];
}

/* Mean relative invvar of a band by distance. */
static int draw_rings(const struct audit *audit, size_t band, struct err *err)
{
    static const char *const columns[] = {"px", "real", "fake"};
    double rows[RINGS][3];
    for (size_t r = 0; r < RINGS; r++) {
        const size_t real = band * RINGS + r, fake = real + BANDS_MAX * RINGS;
        rows[r][0] = ((double)r + 0.5) * audit->layout.side / 2 / RINGS;
        rows[r][1] = audit->rings[real] / audit->ring_counts[real];
        rows[r][2] = audit->rings[fake] / audit->ring_counts[fake];
    }
    CLEANUP(free_ptr)
    char *script = str_format(
        "set xlabel 'distance from the middle (px)'\nset ylabel 'invvar / median of the stamp - 1, %s'\n"
        "plot 0 with lines lc rgb neutral dt 2 lw 1 notitle, \\\n"
        "     data using 1:2 with linespoints pt 7 ps 0.6 lc rgb real lw 1.4 title 'real', \\\n"
        "     data using 1:3 with linespoints pt 7 ps 0.6 lc rgb fake lw 1.4 title 'fake'\n",
        audit->layout.names[band]);
    const struct plot_table table = {columns, 3, RINGS, rows[0]};
    return audit_plot(audit, "invvar", &table, 1, script, err);
}

int check_invvar(struct audit *audit, struct err *err)
{
    struct difference differences[BANDS_MAX] = {{0}};
    int code = 0;
    for (int b = 0; b < audit->layout.bands && !code; b++)
        code = compare_classes(audit, dip_of, b, &differences[b], err);
    if (code)
        return code;
    const size_t worst = find_worst(differences, (size_t)audit->layout.bands, INVVAR_THRESHOLD);
    code = draw_rings(audit, worst, err);
    if (code)
        return code;
    const struct difference *difference = &differences[worst];
    const struct check check = check_of(audit, "invvar", "", difference, INVVAR_THRESHOLD);
    if (!isfinite(difference->value))
        return check_add(audit, &check, "no stamp has an invvar to compare");
    return check_add(
        audit, &check,
        "invvar at the middle against the rim: %+.4f for fakes, %+.4f for reals in %s (error %.4f)%s",
        difference->mean[1], difference->mean[0], audit->layout.names[worst], difference->error,
        check.value > check.threshold ? ": a network can tell by it" : "");
}

int check_background(struct audit *audit, struct err *err)
{
    return check_bands(audit, "background", "the background", "median of the rim (sigma)", level_of,
                       LEVEL_THRESHOLD, err);
}

int check_noise(struct audit *audit, struct err *err)
{
    return check_bands(audit, "noise", "the noise", "scatter of the rim (sigma by invvar)", noise_of,
                       NOISE_THRESHOLD, err);
}

int check_texture(struct audit *audit, struct err *err)
{
    return check_bands(audit, "texture", "the correlation of neighbouring pixels",
                       "correlation of neighbouring pixels of the rim", texture_of, TEXTURE_THRESHOLD, err);
}
