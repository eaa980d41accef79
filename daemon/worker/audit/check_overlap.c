/* Checks on what two parts, or two stamps, have in common. */
#include "daemon/worker/audit/audit.h"
#include "daemon/worker/sky/near.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define OVERLAP_ARCSEC 1.0 /* as split has it (split/places.c) */

enum { POINTS_MAX = 2000 };

/* Pairs of stamps of two parts. */
struct pairs {
    const uint8_t *parts;
    size_t count;
};

static void count_pair(void *context, uint32_t one, uint32_t two)
{
    struct pairs *pairs = context;
    pairs->count += pairs->parts[one] != pairs->parts[two];
}

/* A map of the parts: a block of at most POINTS_MAX places a part, evenly picked. */
static int draw_overlap(const struct audit *audit, const struct near_place *places, size_t count,
                        struct err *err)
{
    static const char *const columns[] = {"ra", "dec"};
    static const char script[] =
        "set xlabel 'right ascension (deg)'\nset ylabel 'declination (deg)'\nset xrange [*:*] reverse\n"
        "set xtics rotate by -35\nset key outside top center horizontal\n"
        "plot data index 0 with points pt 7 ps 0.3 lc rgb neutral title 'train', \\\n"
        "     data index 1 with points pt 7 ps 0.3 lc rgb '#3a9a5b' title 'valid', \\\n"
        "     data index 2 with points pt 7 ps 0.3 lc rgb fake title 'test'\n";
    CLEANUP(free_ptr) double *rows = calloc(DATASET_PART_MAX * 2 * POINTS_MAX, sizeof *rows);
    struct plot_table tables[DATASET_PART_MAX];
    if (!rows)
        return err_set(err, -ENOMEM, "out of memory for the map of the parts");
    const size_t step = count / POINTS_MAX + 1;
    for (int p = 0; p < DATASET_PART_MAX; p++) {
        double *block = rows + (size_t)p * 2 * POINTS_MAX;
        size_t used = 0;
        for (size_t i = 0; i < count && used < POINTS_MAX; i += step) {
            if (audit->parts[places[i].index] == p)
                memcpy(block + 2 * used++, (double[]){places[i].ra_deg, places[i].dec_deg},
                       2 * sizeof *block);
        }
        if (used == 0) /* a block must not be empty */
            memcpy(block + 2 * used++, (double[]){NAN, NAN}, 2 * sizeof *block);
        tables[p] = (struct plot_table){columns, 2, used, block};
    }
    return audit_plot(audit, "overlap", tables, DATASET_PART_MAX, script, err);
}

/* Pairs within an arcsecond, or -ENOENT when the dataset has no ra and dec. */
static int find_close_pairs(const struct audit *audit, size_t *pairs, struct err *err)
{
    CLEANUP(free_ptr)
    double *ra = calloc(audit->count + 1, sizeof *ra), *dec = calloc(audit->count + 1, sizeof *dec);
    CLEANUP(free_ptr) struct near_place *places = calloc(audit->count + 1, sizeof *places);
    if (!ra || !dec || !places)
        return err_set(err, -ENOMEM, "the positions of %zu stamps do not fit in memory", audit->count);
    int code = audit_column(audit, "ra", ra, err);
    if (!code)
        code = audit_column(audit, "dec", dec, err);
    size_t kept = 0;
    for (size_t i = 0; i < audit->count && !code; i++) {
        if (isfinite(ra[i]) && isfinite(dec[i]))
            places[kept++] = (struct near_place){ra[i], dec[i], (uint32_t)i};
    }
    if (!code)
        code = draw_overlap(audit, places, kept, err);
    struct pairs found = {.parts = audit->parts};
    if (!code)
        near_pairs(places, kept, OVERLAP_ARCSEC, count_pair, &found);
    *pairs = found.count;
    return code;
}

/* Bricks with stamps in more than one part. */
static int count_shared_bricks(const struct audit *audit, size_t *shared, struct err *err)
{
    CLEANUP(free_ptr) uint8_t *seen = calloc(audit->brick_count + 1, 1);
    if (!seen)
        return err_set(err, -ENOMEM, "out of memory for %zu bricks", audit->brick_count);
    for (size_t i = 0; i < audit->count; i++)
        seen[audit->bricks[i]] |= (uint8_t)(1u << audit->parts[i]);
    for (size_t b = 0; b < audit->brick_count; b++)
        *shared += (seen[b] & (seen[b] - 1)) != 0;
    return 0;
}

int check_overlap(struct audit *audit, struct err *err)
{
    size_t shared = 0, pairs = 0;
    int code = audit->bricks ? count_shared_bricks(audit, &shared, err) : 0;
    int placed = code ? code : find_close_pairs(audit, &pairs, err);
    if (code || (placed && placed != -ENOENT))
        return placed;
    if (!audit->bricks && placed)
        return check_add_impossible(audit, "overlap", "the dataset has neither brickname nor ra and dec");
    const struct check check = {.name = "overlap",
                                .unit = "",
                                .value = (double)(shared + pairs),
                                .error = NAN,
                                .p = NAN,
                                .plotted = placed == 0};
    if (shared + pairs)
        return check_add(
            audit, &check,
            "%zu of %zu bricks are in two parts, and %zu pairs of stamps of two parts lie within 1 arcsec: "
            "the test part is not independent",
            shared, audit->brick_count, pairs);
    return check_add(audit, &check,
                     placed ? "no brick of %zu is in two parts; positions are not known"
                            : "no brick of %zu is in two parts, and no object",
                     audit->brick_count);
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;
    return one < two ? -1 : one > two;
}

static int draw_duplicates(const struct audit *audit, size_t twins, struct err *err)
{
    static const char *const columns[] = {"kind", "stamps"};
    static const char script[] = "set style data histograms\nset style fill solid 0.6\nset yrange [0:*]\n"
                                 "set xtics ('single' 0, 'repeated' 1)\nset ylabel 'stamps'\n"
                                 "plot data using 2 lc rgb neutral notitle\n";
    const double rows[2][2] = {{0, (double)(audit->count - twins)}, {1, (double)twins}};
    const struct plot_table table = {columns, 2, 2, rows[0]};
    return audit_plot(audit, "duplicates", &table, 1, script, err);
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
    int code = draw_duplicates(audit, twins, err);
    if (code)
        return code;
    const struct check check = {
        .name = "duplicates", .unit = "", .value = (double)twins, .error = NAN, .p = NAN, .plotted = true};
    if (twins)
        return check_add(audit, &check, "%zu of %zu stamps are byte for byte another one's", twins,
                         audit->count);
    return check_add(audit, &check, "no two of %zu stamps are the same", audit->count);
}
