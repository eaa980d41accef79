/* See truth.h. */
#include "daemon/worker/cutouts/truth.h"
#include "common/str.h"
#include "daemon/worker/cutouts/match.h"
#include "daemon/worker/sky/photometry.h"
#include "daemon/worker/sky/table.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const char *const RADII[] = {"rhalf", "shape_r", NULL};
static const char *const INDICES[] = {"n", "sersic", "sersicn", NULL};

void truth_close(struct truth *truth)
{
    if (!truth)
        return;
    free(truth->id);
    free(truth->x);
    free(truth->y);
    free(truth->ra);
    free(truth->dec);
    for (int b = 0; b < TRUTH_BANDS_MAX; b++)
        free(truth->mag[b]);
    free(truth->rhalf);
    free(truth->sersic);
    free(truth->row);
    free(truth->separation);
    free(truth);
}

/* The first of some names that is there; where none is, the first, so that the sentence names it. */
static const char *either(const struct table *table, const char *const *names)
{
    for (const char *const *name = names; *name; name++) {
        if (table_has(table, *name))
            return *name;
    }
    return names[0];
}

/* Pixels and sky, the one from the other by the image's WCS. */
static int read_positions(struct truth *truth, struct table *table, struct wcs *wcs, struct err *err)
{
    bool sky = table_has(table, "ra") && table_has(table, "dec");
    bool pixels = !sky && table_has(table, "x") && table_has(table, "y");
    int code = table_read_reals(table, pixels ? "x" : "ra", 0, pixels ? truth->x : truth->ra, err);
    if (!code)
        code = table_read_reals(table, pixels ? "y" : "dec", 0, pixels ? truth->y : truth->dec, err);
    if (code)
        return code;
    return pixels ? wcs_to_sky(wcs, truth->rows, truth->x, truth->y, truth->ra, truth->dec, err)
                  : wcs_to_pixel(wcs, truth->rows, truth->ra, truth->dec, truth->x, truth->y, err);
}

/* Magnitude as seen, and corrected where the file says how. */
static int read_magnitude(struct truth *truth, struct table *table, char band, int b, struct err *err)
{
    CLEANUP(free_ptr) char *original = str_format("%cflux", band);
    CLEANUP(free_ptr) char *later = str_format("flux_%c", band);
    CLEANUP(free_ptr) char *extinction = str_format("mw_transmission_%c", band);
    CLEANUP(free_ptr) double *transmission = calloc(truth->rows + 1, sizeof *transmission);
    double *mag = truth->mag[b];
    if (!transmission)
        return err_set(err, -ENOMEM, "out of memory for a truth catalogue");
    const char *flux = either(table, (const char *const[]){original, later, NULL});
    int code = table_read_reals(table, flux, 0, mag, err);
    truth->dimmed[b] = !table_has(table, extinction);
    if (!code && !truth->dimmed[b])
        code = table_read_reals(table, extinction, 0, transmission, err);
    for (size_t i = 0; !code && i < truth->rows; i++) {
        double seen = truth->dimmed[b] ? 1 : transmission[i];
        mag[i] = mag[i] > 0 && seen > 0 ? mag_of_flux(mag[i], seen) : NAN;
    }
    return code;
}

static int read_optional(struct truth *truth, struct table *table, const char *name, double *values,
                         struct err *err)
{
    for (size_t i = 0; i < truth->rows; i++)
        values[i] = NAN;
    return table_has(table, name) ? table_read_reals(table, name, 0, values, err) : 0;
}

static int make_room(struct truth *truth, size_t bands, struct err *err)
{
    double **const arrays[] = {&truth->x,     &truth->y,      &truth->ra,        &truth->dec,
                               &truth->rhalf, &truth->sersic, &truth->separation};
    bool made = true;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        made = made && (*arrays[i] = calloc(truth->rows + 1, sizeof(double)));
    for (size_t b = 0; b < bands; b++)
        made = made && (truth->mag[b] = calloc(truth->rows + 1, sizeof(double)));
    truth->id = calloc(truth->rows + 1, sizeof *truth->id);
    truth->row = calloc(truth->rows + 1, sizeof *truth->row);
    return made && truth->id && truth->row ? 0 : err_set(err, -ENOMEM, "out of memory for a truth catalogue");
}

static void move_row(struct truth *truth, size_t from, size_t to)
{
    double *const arrays[] = {truth->x, truth->y, truth->ra, truth->dec, truth->rhalf, truth->sersic};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        arrays[i][to] = arrays[i][from];
    for (int b = 0; b < TRUTH_BANDS_MAX && truth->mag[b]; b++)
        truth->mag[b][to] = truth->mag[b][from];
    truth->id[to] = truth->id[from];
}

static int drop_collided(struct truth *truth, struct table *table, struct err *err)
{
    CLEANUP(free_ptr) double *collided = calloc(truth->rows + 1, sizeof *collided);
    if (!collided)
        return err_set(err, -ENOMEM, "out of memory for a truth catalogue");
    int code = table_read_reals(table, "collided", 0, collided, err);
    size_t kept = 0;
    for (size_t i = 0; i < truth->rows && !code; i++) {
        if (collided[i] == 0)
            move_row(truth, i, kept++);
    }
    if (!code) {
        truth->collided = truth->rows - kept;
        truth->rows = kept;
    }
    return code;
}

int truth_open(struct truth **out, const char *path, bool places, const char *bands, struct wcs *wcs,
               struct err *err)
{
    CLEANUP(table_close_ptr) struct table *table = NULL;
    CLEANUP(truth_close_ptr) struct truth *truth = calloc(1, sizeof *truth);
    int code = table_open(&table, path, err);
    if (code)
        return code;
    if (!truth || strlen(bands) > TRUTH_BANDS_MAX)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    truth->rows = table_rows(table);
    code = make_room(truth, strlen(bands), err);
    if (!code)
        code = table_read_ints(table, "id", truth->id, err);
    if (!code)
        code = read_positions(truth, table, wcs, err);
    truth->bare = places;
    for (size_t b = 0; bands[b] && !places && !code; b++)
        code = read_magnitude(truth, table, bands[b], (int)b, err);
    if (!code)
        code = read_optional(truth, table, either(table, RADII), truth->rhalf, err);
    if (!code)
        code = read_optional(truth, table, either(table, INDICES), truth->sersic, err);
    for (size_t i = 0; i < truth->rows; i++)
        truth->row[i] = -1;
    if (!code && table_has(table, "collided"))
        code = drop_collided(truth, table, err);
    if (!code)
        *out = TAKE(truth);
    return code;
}

static int catalogue_points(struct catalogue *catalogue, struct points *points, struct err *err)
{
    *points = (struct points){.count = catalogue_rows(catalogue), .usable = catalogue_usable(catalogue)};
    int code = catalogue_quantity(catalogue, "bx", &points->x, err);
    return code ? code : catalogue_quantity(catalogue, "by", &points->y, err);
}

/* The usable point nearest to (x, y), or -1 without one. */
static long nearest_point(const struct points *points, double x, double y)
{
    long nearest = -1;
    double best = INFINITY;
    for (size_t i = 0; i < points->count; i++) {
        double distance = hypot(points->x[i] - x, points->y[i] - y);
        if ((!points->usable || points->usable[i]) && distance < best) {
            best = distance;
            nearest = (long)i;
        }
    }
    return nearest;
}

/* Dust changes little over a few arcminutes: any row near by will do. */
static int correct_dimmed(struct truth *truth, int b, char band, struct catalogue *catalogue,
                          const struct points *points, struct err *err)
{
    CLEANUP(free_ptr) char *name = str_format("mw_transmission_%c", band);
    const double *transmission;
    int code = catalogue_quantity(catalogue, name, &transmission, err);
    for (size_t i = 0; i < truth->rows && !code; i++) {
        long near = nearest_point(points, truth->x[i], truth->y[i]);
        truth->mag[b][i] += near < 0 ? NAN : 2.5 * log10(transmission[near]);
    }
    truth->dimmed[b] = truth->dimmed[b] && code;
    return code;
}

int truth_match(struct truth *truth, struct catalogue *catalogue, double radius_px, struct err *err)
{
    struct points from = {truth->rows, truth->x, truth->y, NULL}, to;
    const char *bands = catalogue_bands(catalogue);
    int code = catalogue_points(catalogue, &to, err);
    for (int b = 0; bands[b] && !code; b++) {
        if (truth->dimmed[b])
            code = correct_dimmed(truth, b, bands[b], catalogue, &to, err);
    }
    if (!code)
        code = match_nearest(&from, &to, radius_px, truth->row, truth->separation, err);
    truth->matched = truth->merged = 0;
    for (size_t i = 0; !code && i < truth->rows; i++)
        truth->matched += truth->row[i] >= 0;
    return code;
}

int truth_drop_merged(struct truth *truth, struct catalogue *catalogue, struct catalogue *before,
                      struct err *err)
{
    struct points after, own;
    int code = catalogue_points(catalogue, &after, err);
    if (!code)
        code = catalogue_points(before, &own, err);
    for (size_t i = 0; !code && i < truth->rows; i++) {
        const long row = truth->row[i];
        if (row < 0)
            continue;
        const double x = after.x[row], y = after.y[row];
        const long near = nearest_point(&own, x, y);
        if (near < 0 || hypot(own.x[near] - x, own.y[near] - y) >= truth->separation[i])
            continue;
        truth->row[i] = -1;
        truth->matched--;
        truth->merged++;
    }
    return code;
}
