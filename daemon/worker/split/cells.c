/* Parts by cells of the sky (parts.h). Rows of cells are `side` high in dec; in a row, cells are equally wide in
 * ra and at least `side` wide on the sky, so that a box about a stamp as large as the guard touches at most two
 * rows and two cells in each, and its corners find them all.
 *
 * Why no two stamps of different parts overlap: a guard of half a stamp's diagonal makes the box about a stamp's
 * middle hold the stamp, however it is turned. If two stamps overlap, what lies between their middles is in both
 * boxes, and the cell there would have to be of both parts. Cells without stamps count as training's. */
#include "common/cleanup.h"
#include "daemon/worker/split/parts_private.h"
#include "daemon/worker/split/plan.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

static const double USUAL_PIXSCALE_ARCSEC = 0.262;

struct grid {
    double side_deg, guard_deg;
    uint64_t *cells; /* row << 32 | column of those that hold stamps, ascending */
    size_t count;
};

static double radians(double degrees)
{
    return degrees * (M_PI / 180);
}

static uint64_t cell_at(const struct grid *grid, double ra_deg, double dec_deg)
{
    const double row = floor((dec_deg + 90) / grid->side_deg), low = row * grid->side_deg - 90;
    const double outer = fmax(fabs(low), fabs(low + grid->side_deg)); /* its edge away from the equator */
    const double fitting = outer < 90 ? floor(360 * cos(radians(outer)) / grid->side_deg) : 1;
    const double columns = fitting > 1 ? fitting : 1, turn = ra_deg / 360 - floor(ra_deg / 360);
    return (uint64_t)row << 32 | (uint64_t)fmin(floor(turn * columns), columns - 1);
}

static int compare_cells(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;
    return one < two ? -1 : one > two;
}

static int grid_fill(struct grid *grid, const struct scan *scan, struct err *err)
{
    grid->cells = calloc(scan->total + 1, sizeof *grid->cells);
    if (!grid->cells)
        return err_set(err, -ENOMEM, "the cells of %zu stamps do not fit in memory", scan->total);
    for (size_t i = 0; i < scan->total; i++) {
        const struct stamp_key *key = &scan->keys[i];
        if (!isfinite(key->ra_deg) || !(fabs(key->dec_deg) <= 90))
            return err_set(err, -EINVAL, "%s has stamps without ra and dec, and a split by cell goes by them",
                           scan->sources[scan_source_of(scan, i)].path);
        grid->cells[i] = cell_at(grid, key->ra_deg, key->dec_deg);
    }
    if (scan->total)
        qsort(grid->cells, scan->total, sizeof *grid->cells, compare_cells);
    for (size_t i = 0; i < scan->total; i++) {
        if (i == 0 || grid->cells[i] != grid->cells[grid->count - 1])
            grid->cells[grid->count++] = grid->cells[i];
    }
    return 0;
}

static const uint64_t *grid_find(const struct grid *grid, double ra_deg, double dec_deg)
{
    const uint64_t cell = cell_at(grid, ra_deg, dec_deg);
    return bsearch(&cell, grid->cells, grid->count, sizeof cell, compare_cells);
}

/* Whether a corner of the box about the stamp is in another part. */
static bool is_near_other(const struct grid *grid, const uint8_t *of_cell, const struct stamp_key *key,
                          int part)
{
    const double guard = grid->guard_deg, reach = fabs(key->dec_deg) + guard;
    const double wide = reach < 90 ? fmin(guard / cos(radians(reach)), 180) : 180;
    for (int corner = 0; corner < 4; corner++) {
        const double ra = key->ra_deg + (corner & 1 ? wide : -wide),
                     dec = key->dec_deg + (corner & 2 ? guard : -guard);
        const uint64_t *cell = grid_find(grid, ra, fmax(fmin(dec, 90), -90));
        if ((cell ? of_cell[cell - grid->cells] : DATASET_TRAIN) != part)
            return true;
    }
    return false;
}

static void leave_out_guard(struct parts *parts, const struct scan *scan, const struct grid *grid,
                            const uint8_t *of_cell)
{
    for (size_t i = 0; i < scan->total; i++) {
        if (!is_near_other(grid, of_cell, &scan->keys[i], parts->stamps[i]))
            continue;
        parts->stamps[i] = PART_NONE;
        parts->left_out++;
    }
}

static int find_guard(struct grid *grid, const struct scan *scan, const struct parts_rule *rule,
                      struct err *err)
{
    const double pixscale = scan->pixscale_arcsec > 0 ? scan->pixscale_arcsec : USUAL_PIXSCALE_ARCSEC;
    const double half_diagonal = scan->stamp * M_SQRT1_2 * pixscale;
    const double guard = rule->guard_arcsec > 0 ? rule->guard_arcsec : half_diagonal;
    grid->guard_deg = guard / 3600;
    if (guard < half_diagonal)
        return err_set(
            err, -EINVAL,
            "--guard %g: stamps of %d px of %g arcsec need %.1f arcsec so that none shows sky of another "
            "part",
            guard, scan->stamp, pixscale, half_diagonal);
    if (4 * grid->guard_deg > grid->side_deg)
        return err_set(err, -EINVAL,
                       "--cell %g: cells must be four times as wide as the guard of %.1f arcsec",
                       grid->side_deg, guard);
    return 0;
}

static void grid_free(struct grid *grid)
{
    free(grid->cells);
}

int parts_by_cell(struct parts *parts, const struct scan *scan, const struct parts_rule *rule,
                  struct err *err)
{
    CLEANUP(grid_free) struct grid grid = {.side_deg = rule->cell_deg};
    int code = find_guard(&grid, scan, rule, err);
    if (!code)
        code = grid_fill(&grid, scan, err);
    CLEANUP(free_ptr) uint32_t *cell_of = calloc(scan->total + 1, sizeof *cell_of);
    CLEANUP(free_ptr) uint8_t *of_cell = calloc(grid.count + 1, 1);
    if (!code && (!cell_of || !of_cell))
        code = err_set(err, -ENOMEM, "the cells of %zu stamps do not fit in memory", scan->total);
    for (size_t i = 0; i < scan->total && !code; i++)
        cell_of[i] = (uint32_t)(grid_find(&grid, scan->keys[i].ra_deg, scan->keys[i].dec_deg) - grid.cells);
    if (!code)
        code = parts_give_groups(parts, scan, rule, cell_of, grid.count, "cell", of_cell, err);
    if (code)
        return code;
    leave_out_guard(parts, scan, &grid, of_cell);
    parts->group_noun = "cells";
    snprintf(
        parts->rule, sizeof parts->rule,
        "cells of the sky of %g deg, all realisations and both classes of a cell in one part; stamps within "
        "%.1f arcsec of a cell of another part are left out",
        rule->cell_deg, grid.guard_deg * 3600);
    return 0;
}
