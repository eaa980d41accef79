/* The job `audit`: what a classifier could cheat with, measured before anyone trains. Writes audit.json, and
 * for most checks a plot: NAME.png and NAME.svg, drawn by gnuplot from NAME.gp and NAME.tsv beside them.
 *
 *     {"v": 1, "stamps": {"real": n, "fake": n}, "warnings": n,
 *      "checks": [{"name", "value", "error": number or null, "threshold", "unit": "px" or "",
 *                  "status": "pass" or "warn", "sentence", "plot": "NAME.png" or null}, ...]}
 *
 * status is warn when value exceeds threshold, or when there was nothing to measure (value null). A threshold
 * is the larger of what matters to a network and four standard errors of what was measured.
 *
 * | name                     | value |
 * | ---                      | --- |
 * | integrity                | files whose checksum is not the manifest's |
 * | counts                   | largest |real - fake| / (real + fake) over the parts |
 * | overlap                  | bricks in two parts, plus pairs of stamps of two parts within 1 arcsec |
 * | duplicates               | stamps that are byte for byte another one's |
 * | headers                  | attributes of the cutout files (compression, quantisation, version, cuts, ...)
 * |                          | whose values differ by class |
 * | placement                | px between the mean centroids of both classes about their nominal places, in
 * |                          | the r band, larger of x and y |
 * | fractions_x, fractions_y | Kolmogorov-Smirnov D of the fractional part of x, of y between the classes |
 * | invvar                   | largest difference over the bands of the relative invvar at the centre, against
 * |                          | the rim of the stamp |
 * | background               | largest difference over the bands of the rim's median, in units of the noise
 * |                          | that invvar tells |
 * | noise                    | largest difference over the bands of the rim's scatter, in the same units |
 * | texture                  | largest difference over the bands of the correlation of neighbouring pixels of
 * |                          | the rim |
 * | selection_COLUMN         | Kolmogorov-Smirnov D of mag_g, mag_r, mag_z, rhalf, neighbour between the classes |
 *
 * A check of columns that the dataset lacks is left out. */
#ifndef DECOY_AUDIT_AUDIT_H
#define DECOY_AUDIT_AUDIT_H

#include "daemon/worker/audit/measure.h"
#include "daemon/worker/dataset/dataset.h"
#include "daemon/worker/job.h"
#include "daemon/worker/report/plot.h"

/* What the checks share; of rank 0. Examples of all parts in one row: train, valid, test. */
struct audit {
    struct job *job;
    const char *out, *directory; /* of the audit, of the dataset */
    struct dataset *dataset;
    struct layout layout;
    size_t count;
    struct measure *measures;
    uint8_t *labels, *parts;
    double *rings, *ring_counts; /* (2, BANDS_MAX, RINGS): sums of relative invvar, how many stamps gave one */
    size_t damaged;              /* files whose checksum is not the manifest's */
    json_t *checks;
    bool plotting; /* gnuplot is there */
};

struct check {
    const char *name, *unit;
    double value, error, threshold; /* error NAN: none; value NAN: nothing could be measured */
    bool plotted;
};

/* Appends to audit->checks, with a sentence. */
int check_add(struct audit *audit, const struct check *check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A plot in the audit's directory; without gnuplot its data and script alone. */
int audit_plot(const struct audit *audit, const char *name, const struct plot_table *tables, size_t count,
               const char *script, struct err *err);

/* A column over all parts; -ENOENT when the dataset has none. */
int audit_column(const struct audit *audit, const char *name, double *values, struct err *err);

/* The checks, in the order of the report: 0 or an error that ends the job. */
typedef int audit_check(struct audit *audit, struct err *err);
audit_check check_integrity, check_counts, check_overlap, check_duplicates, check_headers; /* check_table.c */
audit_check check_placement, check_invvar, check_background, check_noise, check_texture;   /* check_pixel.c */
audit_check check_fractions, check_selection; /* check_selection.c */

#endif
