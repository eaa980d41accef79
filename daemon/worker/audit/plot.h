/* Plots by the program gnuplot: NAME.txt (data) and NAME.gnuplot (script) are written beside NAME.png and
 * NAME.svg, so that the user can restyle them: `gnuplot NAME.gnuplot` in that directory. */
#ifndef DECOY_AUDIT_PLOT_H
#define DECOY_AUDIT_PLOT_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

bool plot_possible(void); /* gnuplot is on the PATH */

/* data: lines of numbers, blocks parted by two empty lines. commands: gnuplot's, in which the data file is
 * DATA; after them both pictures are drawn by `plot_line`. Without gnuplot (possible false) data and script
 * are written all the same. */
int plot_draw(const char *directory, const char *name, const char *data, const char *commands,
              const char *plot_line, bool possible, struct err *err);

#endif
