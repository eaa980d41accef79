/* See simcat.h. */
#include "daemon/worker/sky/simcat.h"
#include "daemon/worker/sky/photometry.h"
#include "daemon/worker/sky/table.h"

#include <errno.h>

enum { RA, DEC, X, Y, FLUX, N = FLUX + BAND_COUNT, RHALF, BA, PA, E1, E2, DUST, REALS = DUST + BAND_COUNT };

static const struct {
    const char *name, *unit;
} COLUMNS[REALS] = {
    {"ra", "deg"},
    {"dec", "deg"},
    {"x", "pix"},
    {"y", "pix"},
    {"gflux", "nanomaggy"},
    {"rflux", "nanomaggy"},
    {"zflux", "nanomaggy"},
    {"n", NULL},
    {"rhalf", "arcsec"},
    {"ba", NULL},
    {"pa", "deg"},
    {"e1", NULL},
    {"e2", NULL},
    {"mw_transmission_g", NULL},
    {"mw_transmission_r", NULL},
    {"mw_transmission_z", NULL},
};

static void fill_row(double *values, size_t count, size_t i, const struct simcat_row *row,
                     const struct observation *observation)
{
    const struct galaxy *galaxy = &row->galaxy;
    values[X * count + i] = row->x_px;
    values[Y * count + i] = row->y_px;
    values[N * count + i] = galaxy->n;
    values[RHALF * count + i] = galaxy->rhalf_arcsec;
    values[BA * count + i] = galaxy->ba;
    values[PA * count + i] = galaxy->pa_deg;
    values[E1 * count + i] = galaxy_e1(galaxy);
    values[E2 * count + i] = galaxy_e2(galaxy);
    for (size_t b = 0; b < BAND_COUNT; b++) {
        values[(FLUX + b) * count + i] = flux_of_mag(galaxy->mag[b]) * observation->mw_transmission[b];
        values[(DUST + b) * count + i] = observation->mw_transmission[b];
    }
}

int simcat_publish(const char *path, const struct observation *observation, struct wcs *wcs,
                   const struct simcat_row *rows, size_t count, bool with_stars, struct err *err)
{
    CLEANUP(free_ptr) double *values = calloc(count + 1, REALS * sizeof *values);
    CLEANUP(free_ptr) int64_t *ids = calloc(count + 1, sizeof *ids);
    CLEANUP(free_ptr) bool *stars = calloc(count + 1, sizeof *stars);
    if (!values || !ids || !stars)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    for (size_t i = 0; i < count; i++) {
        ids[i] = (int64_t)i;
        stars[i] = !(rows[i].galaxy.rhalf_arcsec > 0);
        fill_row(values, count, i, &rows[i], observation);
    }
    int code = wcs_to_sky(wcs, count, values + X * count, values + Y * count, values + RA * count,
                          values + DEC * count, err);
    struct table_column columns[REALS + 2] = {{"id", TABLE_INT64, 0, NULL, ids}};
    for (size_t c = 0; c < REALS; c++)
        columns[c + 1] =
            (struct table_column){COLUMNS[c].name, TABLE_REAL64, 0, COLUMNS[c].unit, values + c * count};
    columns[REALS + 1] = (struct table_column){"star", TABLE_BOOL, 0, NULL, stars};
    return code ? code : table_publish(path, "SIMCAT", count, columns, REALS + 1 + with_stars, NULL, 0, err);
}
