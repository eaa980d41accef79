/* Checks on what the pixels say: invvar, the rim of the stamps, pixels without data. */
#include "daemon/worker/audit/compare.h"
#include "common/str.h"
#include "daemon/worker/audit/statistics.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Below these a difference is of no use to a network of today. */
#define INVVAR_THRESHOLD  0.01
#define LEVEL_THRESHOLD   0.05
#define NOISE_THRESHOLD   0.02
#define TEXTURE_THRESHOLD 0.01
#define MASK_THRESHOLD    0.005
enum { BINS = 60 };

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
    const size_t worst = compare_worst(audit, differences, (size_t)audit->layout.bands, least);
    const struct difference *difference = &differences[worst];
    CLEANUP(free_ptr) char *label = str_format("%s, band %s", axis, audit->layout.names[worst]);
    code = draw_histogram(audit, name, label, of, (int)worst, err);
    if (code)
        return code;
    const struct check check = compare_check(audit, name, "", difference, audit->layout.bands, least);
    if (!isfinite(check.value))
        return check_add_impossible(audit, name, "there is nothing to measure in the rims of one class");
    const bool warn = !(check.value <= check.threshold);
    return check_add(
        audit, &check,
        "%s of fakes %s that of reals: %.4f against %.4f in %s (error %.4f; %zu fakes, %zu reals)%s", what,
        warn ? "differs from" : "is like", difference->mean[1], difference->mean[0],
        audit->layout.names[worst], difference->error, difference->counts[1], difference->counts[0],
        warn ? ": a network can tell by it" : "");
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
    const size_t worst = compare_worst(audit, differences, (size_t)audit->layout.bands, INVVAR_THRESHOLD);
    code = draw_rings(audit, worst, err);
    if (code)
        return code;
    const struct difference *difference = &differences[worst];
    const struct check check =
        compare_check(audit, "invvar", "", difference, audit->layout.bands, INVVAR_THRESHOLD);
    if (!isfinite(difference->value))
        return check_add_impossible(audit, "invvar", "no stamp has an invvar to compare");
    return check_add(audit, &check,
                     "invvar at the middle against the rim: %+.4f for fakes, %+.4f for reals in %s (error "
                     "%.4f; %zu fakes, "
                     "%zu reals)%s",
                     difference->mean[1], difference->mean[0], audit->layout.names[worst], difference->error,
                     difference->counts[1], difference->counts[0],
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

static double masked_of(const struct audit *audit, size_t stamp, int band)
{
    return audit->measures[stamp].masked[band];
}

int check_masks(struct audit *audit, struct err *err)
{
    return check_bands(audit, "masks", "the share of pixels without data", "share of pixels without data",
                       masked_of, MASK_THRESHOLD, err);
}
