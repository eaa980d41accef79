/* The job `audit`: what a classifier could cheat with, measured before anyone trains. Writes audit.json, audit.html (one
 * page that needs no other file), and for each check a plot: NAME.png and NAME.svg, drawn by gnuplot from NAME.gp and
 * NAME.tsv beside them.
 *
 *     {"v": 1, "dataset", "stamps": {"real": n, "fake": n, "of": stamps of the dataset},
 *      "chance": {"family": 0.01, "comparisons": m, "each": 0.01 / m}, "warnings": n, "impossible": n,
 *      "checks": [{"name", "value", "error": number or null, "p": number or null, "threshold", "unit": "px" or "",
 *                  "status": "pass", "warn" or "impossible", "sentence", "plot": "NAME.png" or null}, ...]}
 *
 * warn: value exceeds threshold. A threshold is the larger of what matters to a network and what chance exceeds with
 * probability 0.01 / m, m the number of comparisons of all checks: so an honest dataset raises any warning in fewer than
 * one audit in a hundred (Bonferroni). Stamps of a brick share its sky: errors are the larger of those of independent
 * stamps and those of independent bricks, with Student's t, where there are AUC_LEAST_CLUSTERS bricks. impossible: the
 * dataset does not say what the check needs, or has nothing to measure (value null); its sentence tells why.
 *
 * | leak       | name                     | value |
 * | ---        | ---                      | --- |
 * |            | integrity                | files whose checksum is not the manifest's |
 * |            | counts                   | largest |real - fake| / (real + fake) over the parts |
 * | split      | overlap                  | bricks in two parts, plus pairs of stamps of two parts within 1 arcsec |
 * | duplicates | duplicates               | stamps that are byte for byte another one's |
 * | processing | headers                  | attributes of the cutout files (compression, quantisation, version, ...)
 * |            |                          | whose values differ by class |
 * | order      | order                    | how far the number of runs of one label within shards is from chance's, as a share |
 * | placement  | placement                | px between the mean centroids of both classes about their nominal places, in
 * |            |                          | the r band, larger of x and y |
 * |            | fractions_x, fractions_y | Kolmogorov-Smirnov D of the fractional part of x, of y between the classes |
 * | invvar     | invvar                   | largest difference over the bands of the relative invvar at the centre,
 * |            |                          | against the rim of the stamp |
 * | processing | background               | largest difference over the bands of the rim's median, in units of the noise
 * |            |                          | that invvar tells |
 * |            | noise                    | largest difference over the bands of the rim's scatter, in the same units |
 * |            | texture                  | largest difference over the bands of the correlation of neighbouring pixels
 * |            |                          | of the rim |
 * | neighbours | masks                    | largest difference over the bands of the share of pixels without data |
 * |            | selection_neighbour      | D of the distance to the nearest other source, as far as stamps reach |
 * | selection  | selection_COLUMN         | D of each magnitude, of colours of bands side by side (g_r, r_z) and of rhalf
 * |            |                          | between the classes; the AUC beside it |
 *
 * Bounds: at most `sample` stamps are measured (field; 0: all), whole shards evenly spread, and all checks but counts
 * are of them. Memory on rank 0: about 250 bytes a measured stamp, and 32 a stamp of the dataset while a column of its
 * index is read. */
#ifndef DECOY_AUDIT_AUDIT_H
#define DECOY_AUDIT_AUDIT_H

#include "daemon/worker/audit/measure.h"
#include "daemon/worker/dataset/dataset.h"
#include "daemon/worker/job.h"
#include "daemon/worker/report/plot.h"

/* Comparisons of two classes with a probability each: order, placement and fractions in x and y, rhalf and neighbour; in
 * each band invvar, background, noise, texture, masks, magnitude, and a colour with the next one. */
enum { COMPARISONS = 7, COMPARISONS_BAND = 7 };

/* A measured shard: its examples are in the sample from `at` on. */
struct span {
    struct dataset_shard shard;
    size_t at;
};

/* What the checks share; of rank 0. Measured examples in one row, span by span. */
struct audit {
    struct job *job;
    const char *out, *directory; /* of the audit, of the dataset */
    struct dataset *dataset;
    struct layout layout;
    size_t count, total; /* measured, of the dataset */
    struct span *spans;
    size_t span_count;
    struct measure *measures;
    uint8_t *labels, *parts;
    uint32_t *bricks; /* number of each one's brick; NULL: not known */
    size_t brick_count;
    double *rings,
        *ring_counts; /* (2, BANDS_MAX, RINGS): sums of relative invvar, how many stamps gave one */
    size_t damaged;   /* files whose checksum is not the manifest's */
    int comparisons;
    double alpha;  /* probability of a false warning of one comparison */
    double errors; /* so many standard errors are exceeded with it, by chance */
    json_t *checks;
    bool plotting; /* gnuplot is there */
};

/* sample.c */
int sample_open(struct audit *audit, struct err *err);
void sample_close(struct audit *audit);
int sample_read_bricks(struct audit *audit, struct err *err); /* none known is no error */
void audit_set_rate(struct audit *audit);

/* A column over the sample; -ENOENT when the dataset has none. */
int audit_column(const struct audit *audit, const char *name, double *values, struct err *err);

struct check {
    const char *name, *unit;
    double value, error, p, threshold; /* error, p NAN: none; value NAN: nothing could be measured */
    bool plotted;
};

/* result.c: appends to audit->checks, with a sentence. */
int check_add(struct audit *audit, const struct check *check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int check_add_impossible(struct audit *audit, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A plot in the audit's directory; without gnuplot its data and script alone. */
int audit_plot(const struct audit *audit, const char *name, const struct plot_table *tables, size_t count,
               const char *script, struct err *err);
int result_publish(struct audit *audit, struct err *err);

/* page.c: audit.html of audit.json. */
int page_publish_audit(const struct audit *audit, const json_t *file, struct err *err);

/* The checks, in the order of the report: 0 or an error that ends the job. */
typedef int audit_check(struct audit *audit, struct err *err);
audit_check check_integrity, check_counts, check_headers;                            /* check_files.c */
audit_check check_overlap, check_duplicates;                                         /* check_overlap.c */
audit_check check_order;                                                             /* check_order.c */
audit_check check_placement;                                                         /* check_placement.c */
audit_check check_invvar, check_background, check_noise, check_texture, check_masks; /* check_pixel.c */
audit_check check_fractions, check_selection;                                        /* check_selection.c */

#endif
