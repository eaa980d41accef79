/* Checks on what the manifest says: files, counts, how stamps were made. */
#include "daemon/worker/audit/audit.h"
#include "common/str.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define COUNTS_THRESHOLD 0.05

int check_integrity(struct audit *audit, struct err *err)
{
    size_t files = 0;
    for (size_t s = 0; s < audit->span_count; s++)
        files += audit->spans[s].shard.x.bytes ? 2 : 0;
    if (files == 0)
        return check_add_impossible(audit, "integrity",
                                    "the dataset has no checksums, for split did not write it");
    static const char *const columns[] = {"kind", "files"};
    static const char script[] = "set style data histograms\nset style fill solid 0.6\nset yrange [0:*]\n"
                                 "set xtics ('as written' 0, 'altered' 1)\nset ylabel 'files'\n"
                                 "plot data using 2 lc rgb neutral notitle\n";
    const double rows[2][2] = {{0, (double)(files - audit->damaged)}, {1, (double)audit->damaged}};
    const struct plot_table table = {columns, 2, 2, rows[0]};
    int code = audit_plot(audit, "integrity", &table, 1, script, err);
    if (code)
        return code;
    const struct check check = {.name = "integrity",
                                .unit = "",
                                .value = (double)audit->damaged,
                                .error = NAN,
                                .p = NAN,
                                .plotted = true};
    if (audit->damaged)
        return check_add(audit, &check, "%zu of %zu files are not those that split wrote: run split again",
                         audit->damaged, files);
    return check_add(audit, &check, "all %zu files have the checksums of the manifest", files);
}

static int count_labels(struct audit *audit, enum dataset_part part, size_t counts[2], struct err *err)
{
    const size_t n = dataset_count(audit->dataset, part);
    CLEANUP(free_ptr) uint8_t *labels = malloc(n + 1);
    if (!labels)
        return err_set(err, -ENOMEM, "out of memory for %zu labels", n);
    int code = dataset_labels(audit->dataset, part, 0, n, labels, err);
    for (size_t i = 0; i < n && !code; i++)
        counts[labels[i] != 0]++;
    return code;
}

int check_counts(struct audit *audit, struct err *err)
{
    size_t counts[DATASET_PART_MAX][2] = {{0}};
    double worst = 0;
    int code = 0;
    for (int p = 0; p < DATASET_PART_MAX && !code; p++)
        code = count_labels(audit, (enum dataset_part)p, counts[p], err);
    if (code)
        return code;
    double rows[DATASET_PART_MAX][3];
    for (int p = 0; p < DATASET_PART_MAX; p++) {
        double real = (double)counts[p][0], fake = (double)counts[p][1];
        if (real + fake > 0)
            worst = fmax(worst, fabs(real - fake) / (real + fake));
        else if (p != DATASET_VALID)
            worst = 1;
        memcpy(rows[p], (double[]){p, real, fake}, sizeof rows[p]);
    }
    static const char *const columns[] = {"part", "real", "fake"};
    static const char script[] =
        "set style data histograms\n"
        "set style fill solid 0.6\n"
        "set xtics ('train' 0, 'valid' 1, 'test' 2)\n"
        "set yrange [0:*]\n"
        "set ylabel 'stamps'\n"
        "plot data using 2 lc rgb real title 'real', data using 3 lc rgb fake title 'fake'\n";
    const struct plot_table table = {columns, 3, DATASET_PART_MAX, rows[0]};
    code = audit_plot(audit, "counts", &table, 1, script, err);
    if (code)
        return code;
    const struct check check = {.name = "counts",
                                .unit = "",
                                .value = worst,
                                .error = NAN,
                                .p = NAN,
                                .threshold = COUNTS_THRESHOLD,
                                .plotted = true};
    return check_add(audit, &check,
                     "real and fake stamps: train %zu and %zu, valid %zu and %zu, test %zu and %zu",
                     counts[0][0], counts[0][1], counts[1][0], counts[1][1], counts[2][0], counts[2][1]);
}

/* Every value of `some` is one of `all`. */
static bool values_within(const json_t *some, const json_t *all)
{
    size_t i, j;
    json_t *one, *other;
    json_array_foreach(some, i, one)
    {
        bool found = false;
        json_array_foreach(all, j, other)
        {
            found = found || json_equal(json_object_get(one, "value"), json_object_get(other, "value"));
        }
        if (!found)
            return false;
    }
    return true;
}

/* Attributes of a cutout file that say how its stamps came about (cutout_file.h). What else is there may
 * differ. */
static const char *const PROCESSING[] = {"compression", "quantize", "catalogue_origin",
                                         "version",     "release",  "cuts",
                                         "placement",   "pixscale", "image_unit"};

/* Names of those that differ, in fresh memory, parted by commas. A class without one differs from one that
 * has it. */
static char *list_differences(const json_t *real, const json_t *fake, size_t *differing, size_t *alike)
{
    char *list = str_format("%s", "");
    *differing = *alike = 0;
    for (size_t i = 0; i < sizeof PROCESSING / sizeof *PROCESSING; i++) {
        const json_t *a = json_object_get(real, PROCESSING[i]), *b = json_object_get(fake, PROCESSING[i]);
        const bool same = values_within(a, b) && values_within(b, a);
        *alike += a && same;
        if (same)
            continue;
        char *longer = str_format("%s%s%s", list, *differing ? ", " : "", PROCESSING[i]);
        free(list);
        list = longer;
        ++*differing;
    }
    return list;
}

/* How many of a class's files have the value that most of the reals' have. */
static double share_of(const json_t *values, const json_t *wanted)
{
    double same = 0, all = 0;
    size_t i;
    json_t *entry;
    json_array_foreach(values, i, entry)
    {
        const double files = json_number_value(json_object_get(entry, "files"));
        all += files;
        same += json_equal(json_object_get(entry, "value"), wanted) ? files : 0;
    }
    return all > 0 ? same / all : 0;
}

static const json_t *commonest(const json_t *values)
{
    const json_t *best = NULL;
    json_int_t most = 0;
    size_t i;
    json_t *entry;
    json_array_foreach(values, i, entry)
    {
        const json_int_t files = json_integer_value(json_object_get(entry, "files"));
        if (files > most)
            best = json_object_get(entry, "value");
        most = files > most ? files : most;
    }
    return best;
}

/* Attributes that a class has: the share of files with the reals' commonest value. */
static int draw_headers(const struct audit *audit, const json_t *real, const json_t *fake, struct err *err)
{
    static const char *const columns[] = {"attribute", "real", "fake"};
    double rows[sizeof PROCESSING / sizeof *PROCESSING + 1][3] = {{0}};
    CLEANUP(free_ptr) char *ticks = str_format("%s", "");
    size_t count = 0;
    for (size_t i = 0; i < sizeof PROCESSING / sizeof *PROCESSING; i++) {
        const json_t *a = json_object_get(real, PROCESSING[i]), *b = json_object_get(fake, PROCESSING[i]);
        if (!a && !b)
            continue;
        const json_t *wanted = commonest(a ? a : b);
        memcpy(rows[count], (double[]){(double)count, share_of(a, wanted), share_of(b, wanted)},
               sizeof rows[count]);
        char *longer = str_format("%s%s'%s' %zu", ticks, count ? ", " : "", PROCESSING[i], count);
        free(ticks);
        ticks = longer;
        count++;
    }
    CLEANUP(free_ptr)
    char *script =
        str_format("set style data histograms\nset style fill solid 0.6\nset yrange [0:1.15]\n"
                   "set xtics rotate by -35 noenhanced (%s)\nset ylabel 'share of files with one value'\n"
                   "plot data using 2 lc rgb real title 'real', data using 3 lc rgb fake title 'fake'\n",
                   ticks);
    const struct plot_table table = {columns, 3, count, rows[0]};
    return count ? audit_plot(audit, "headers", &table, 1, script, err) : 0;
}

int check_headers(struct audit *audit, struct err *err)
{
    json_t *provenance = json_object_get(dataset_manifest(audit->dataset), "provenance");
    json_t *real = json_object_get(provenance, "real"), *fake = json_object_get(provenance, "fake");
    size_t differing, alike;
    CLEANUP(free_ptr) char *names = list_differences(real, fake, &differing, &alike);
    if (differing + alike == 0)
        return check_add_impossible(audit, "headers",
                                    "the stamps do not say how they were made (compression, versions, cuts)");
    int code = draw_headers(audit, real, fake, err);
    if (code)
        return code;
    const struct check check = {
        .name = "headers", .unit = "", .value = (double)differing, .error = NAN, .p = NAN, .plotted = true};
    if (differing)
        return check_add(audit, &check, "real and fake stamps were not made alike: they differ in %s", names);
    return check_add(audit, &check, "real and fake stamps were made alike: %zu attributes agree", alike);
}
