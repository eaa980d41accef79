/* Plots by gnuplot, a program of its own. Beside each plot, NAME.png and NAME.svg, lie its data, NAME.tsv,
 * and its script, NAME.gp, so that the user can restyle it: `gnuplot NAME.gp` in that directory draws both
 * anew. */
#ifndef DECOY_REPORT_PLOT_H
#define DECOY_REPORT_PLOT_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

bool plot_possible(void); /* gnuplot is on the PATH */

/* One curve's or set's points: a block of NAME.tsv (blocks are separated by two empty lines: gnuplot's
 * "index"). */
struct plot_table {
    const char *const *columns; /* names, `width` of them */
    int width;
    size_t rows;
    const double *values; /* rows x width; NaN is left empty ("nan") */
};

/* script: gnuplot commands that end in one `plot` command and read the data by the name `data`,
 * tab-separated. Terminal, output, font, the look all plots share and the colours `real`, `fake` and
 * `neutral` are set before them. -ENOENT when there is no gnuplot; data and script are written all the same.
 */
int plot_publish(const char *directory, const char *name, const struct plot_table *tables, size_t count,
                 const char *script, struct err *err);

#endif
