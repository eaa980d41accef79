/* Checks on what the tables say: files, parts, positions, headers. */
#include "daemon/worker/audit/audit.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define COUNTS_THRESHOLD 0.05
#define OVERLAP_ARCSEC   1.0
#define DEGREE           (M_PI / 180)

int check_integrity(struct audit *audit, struct err *err)
{
    (void)err;
    const json_t *shards = json_object_get(dataset_manifest(audit->dataset), "shards");
    const struct check check = {"integrity", "", (double)audit->damaged, NAN, 0, false};
    if (audit->damaged)
        return check_add(
            audit, &check,
            "%zu of the %zu files of the dataset are not those that split wrote: run split again",
            audit->damaged, 2 * json_array_size(shards));
    return check_add(audit, &check, "all %zu files have the checksums of the manifest",
                     2 * json_array_size(shards));
}

int check_counts(struct audit *audit, struct err *err)
{
    size_t counts[DATASET_PART_MAX][2] = {{0}};
    double worst = 0;
    for (size_t i = 0; i < audit->count; i++)
        counts[audit->parts[i]][audit->labels[i]]++;
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
    int code = audit_plot(audit, "counts", &table, 1, script, err);
    if (code)
        return code;
    const struct check check = {"counts", "", worst, NAN, COUNTS_THRESHOLD, audit->plotting};
    return check_add(audit, &check,
                     "real and fake stamps: train %zu and %zu, valid %zu and %zu, test %zu and %zu",
                     counts[0][0], counts[0][1], counts[1][0], counts[1][1], counts[2][0], counts[2][1]);
}

struct place {
    double dec, ra; /* degrees */
    uint8_t part;
};

static int compare_places(const void *a, const void *b)
{
    double one = ((const struct place *)a)->dec, two = ((const struct place *)b)->dec;
    return one < two ? -1 : one > two;
}

/* Pairs of two parts nearer than OVERLAP_ARCSEC: sorted by declination, so that few are compared. */
static size_t count_close_pairs(struct place *places, size_t count)
{
    const double limit = OVERLAP_ARCSEC / 3600;
    size_t pairs = 0;
    qsort(places, count, sizeof *places, compare_places);
    for (size_t i = 0; i < count; i++) {
        const double scale = cos(places[i].dec * DEGREE);
        for (size_t j = i + 1; j < count && places[j].dec - places[i].dec < limit; j++) {
            if (places[i].part == places[j].part)
                continue;
            double apart = fabs(places[i].ra - places[j].ra),
                   along = (apart > 180 ? 360 - apart : apart) * scale;
            pairs += hypot(along, places[j].dec - places[i].dec) < limit;
        }
    }
    return pairs;
}

/* Pairs within an arcsecond, or -ENOENT when the dataset has no ra and dec. */
static int find_close_pairs(const struct audit *audit, size_t *pairs, struct err *err)
{
    CLEANUP(free_ptr)
    double *ra = calloc(audit->count + 1, sizeof *ra), *dec = calloc(audit->count + 1, sizeof *dec);
    CLEANUP(free_ptr) struct place *places = calloc(audit->count + 1, sizeof *places);
    if (!ra || !dec || !places)
        return err_set(err, -ENOMEM, "the positions of %zu stamps do not fit in memory", audit->count);
    int code = audit_column(audit, "ra", ra, err);
    if (!code)
        code = audit_column(audit, "dec", dec, err);
    size_t kept = 0;
    for (size_t i = 0; i < audit->count && !code; i++) {
        if (isfinite(ra[i]) && isfinite(dec[i]))
            places[kept++] = (struct place){dec[i], ra[i], audit->parts[i]};
    }
    *pairs = code ? 0 : count_close_pairs(places, kept);
    return code;
}

struct brick {
    char name[24];
    uint8_t part;
};

static int compare_bricks(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct brick));
}

/* Bricks with stamps in more than one part. */
static int count_shared_bricks(const struct audit *audit, size_t *shared, size_t *bricks, struct err *err)
{
    enum { WIDTH = sizeof((struct brick *)NULL)->name };
    CLEANUP(free_ptr) char *names = calloc(audit->count + 1, WIDTH);
    CLEANUP(free_ptr) struct brick *list = calloc(audit->count + 1, sizeof *list);
    if (!names || !list)
        return err_set(err, -ENOMEM, "the bricks of %zu stamps do not fit in memory", audit->count);
    size_t first = 0;
    for (int p = 0; p < DATASET_PART_MAX; p++) {
        const size_t count = dataset_count(audit->dataset, (enum dataset_part)p);
        int code = count ? dataset_text_column(audit->dataset, (enum dataset_part)p, "brickname", WIDTH,
                                               names + first * WIDTH, err)
                         : 0;
        if (code)
            return code;
        first += count;
    }
    for (size_t i = 0; i < audit->count; i++) {
        memcpy(list[i].name, names + i * WIDTH, WIDTH);
        list[i].part = audit->parts[i];
    }
    qsort(list, audit->count, sizeof *list, compare_bricks);
    *shared = *bricks = 0;
    for (size_t i = 0, end; i < audit->count; i = end) {
        for (end = i; end < audit->count && memcmp(list[end].name, list[i].name, WIDTH) == 0;)
            end++;
        (*bricks)++;
        *shared += list[i].part != list[end - 1].part;
    }
    return 0;
}

int check_overlap(struct audit *audit, struct err *err)
{
    size_t shared = 0, bricks = 0, pairs = 0;
    int by_brick = count_shared_bricks(audit, &shared, &bricks, err);
    int by_place = by_brick && by_brick != -ENOENT ? by_brick : find_close_pairs(audit, &pairs, err);
    if ((by_brick && by_brick != -ENOENT) || (by_place && by_place != -ENOENT))
        return by_brick ? by_brick : by_place;
    struct check check = {"overlap", "", (double)(shared + pairs), NAN, 0, false};
    if (by_brick && by_place) {
        check.value = NAN;
        return check_add(
            audit, &check,
            "the dataset has neither brickname nor ra and dec: nobody can tell whether its parts overlap");
    }
    if (shared + pairs)
        return check_add(
            audit, &check,
            "%zu of %zu bricks are in two parts, and %zu pairs of stamps of two parts lie within 1 arcsec: "
            "the test part is not independent",
            shared, bricks, pairs);
    return check_add(audit, &check, "no brick of %zu is in two parts, and no object", bricks);
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;
    return one < two ? -1 : one > two;
}

int check_duplicates(struct audit *audit, struct err *err)
{
    CLEANUP(free_ptr) uint64_t *hashes = calloc(audit->count + 1, sizeof *hashes);
    size_t twins = 0;
    if (!hashes)
        return err_set(err, -ENOMEM, "the hashes of %zu stamps do not fit in memory", audit->count);
    for (size_t i = 0; i < audit->count; i++)
        hashes[i] = audit->measures[i].hash;
    qsort(hashes, audit->count, sizeof *hashes, compare_hashes);
    for (size_t i = 0; i < audit->count; i++)
        twins +=
            (i > 0 && hashes[i] == hashes[i - 1]) || (i + 1 < audit->count && hashes[i] == hashes[i + 1]);
    const struct check check = {"duplicates", "", (double)twins, NAN, 0, false};
    if (twins)
        return check_add(audit, &check, "%zu of %zu stamps are byte for byte another one's", twins,
                         audit->count);
    return check_add(audit, &check, "no two of %zu stamps are the same", audit->count);
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

int check_headers(struct audit *audit, struct err *err)
{
    (void)err;
    json_t *provenance = json_object_get(dataset_manifest(audit->dataset), "provenance");
    json_t *real = json_object_get(provenance, "real"), *fake = json_object_get(provenance, "fake");
    struct check check = {"headers", "", NAN, NAN, 0, false};
    size_t differing, alike;
    CLEANUP(free_ptr) char *names = list_differences(real, fake, &differing, &alike);
    if (differing + alike == 0)
        return check_add(
            audit, &check,
            "the cutout files do not say how they were made: compression and versions cannot be compared");
    check.value = (double)differing;
    if (differing)
        return check_add(audit, &check, "real and fake stamps were not made alike: %s differ", names);
    return check_add(audit, &check, "real and fake stamps were made alike: %zu attributes agree", alike);
}
