/* Check of where sources lie in their stamps. */
#include "daemon/worker/audit/compare.h"

#include <errno.h>
#include <math.h>

#define PLACEMENT_PX 0.1 /* less is of no use to a network of today */
enum { POINTS_MAX = 3000 };

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
    const struct difference *worst = &differences[compare_worst(audit, differences, 2, PLACEMENT_PX)];
    const struct check check = compare_check(audit, "placement", "px", worst, 2, PLACEMENT_PX);
    if (!isfinite(worst->value))
        return check_add_impossible(audit, "placement", "too few sources are bright enough for a centroid");
    return check_add(audit, &check,
                     "fakes lie (%+.3f, %+.3f) px from where reals lie in their stamps (error %.3f px; %zu "
                     "fakes, %zu reals)%s",
                     differences[0].value, differences[1].value, worst->error, worst->counts[1],
                     worst->counts[0], check.value > check.threshold ? ": a network can tell by it" : "");
}
