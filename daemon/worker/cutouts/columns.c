/* See columns.h. Measured quantities are taken over from the catalogue by the table below; those marked
 * optional only where the catalogue has them. */
#include "daemon/worker/cutouts/columns.h"
#include "common/str.h"
#include "daemon/worker/cutouts/match.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

enum { BRICKNAME_WIDTH = 8 }; /* more for longer names */

#define INT64_LIMIT 9e18

static const struct {
    const char *name; /* with _<b> added when per_band */
    enum cutout_type type;
    bool per_band, optional;
    const char *unit;
} MEASURED[] = {
    {"objid", CUTOUT_INT64, false, false, NULL},
    {"release", CUTOUT_INT64, false, true, NULL},
    {"brickid", CUTOUT_INT64, false, true, NULL},
    {"mag", CUTOUT_REAL32, true, false, "mag"},
    {"flux", CUTOUT_REAL32, true, false, "nanomaggy"},
    {"flux_ivar", CUTOUT_REAL32, true, false, "1/nanomaggy^2"},
    {"mw_transmission", CUTOUT_REAL32, true, false, NULL},
    {"rhalf", CUTOUT_REAL32, false, false, "arcsec"},
    {"sersic", CUTOUT_REAL32, false, true, NULL},
    {"psfsize", CUTOUT_REAL32, true, true, "arcsec"},
    {"psfdepth", CUTOUT_REAL32, true, true, "1/nanomaggy^2"},
    {"nobs", CUTOUT_INT64, true, true, NULL},
    {"maskbits", CUTOUT_INT64, false, true, NULL},
};

void columns_free(struct columns *columns)
{
    for (size_t i = 0; i < columns->count; i++) {
        free(columns->names[i]);
        free(columns->values[i]);
    }
    memset(columns, 0, sizeof *columns);
}

/* A new column of `count` zeroed values of `size` bytes, to be filled through *values. */
static int add_column(struct columns *columns, const char *name, enum cutout_type type, size_t size,
                      const char *unit, size_t count, void **values, struct err *err)
{
    if (columns->count == COLUMNS_MAX || !(*values = calloc(count + 1, size)))
        return err_set(err, -ENOMEM, "out of memory for column %s", name);
    size_t i = columns->count++;
    columns->names[i] = str_format("%s", name);
    columns->values[i] = *values;
    columns->items[i] = (struct cutout_column){.name = columns->names[i],
                                               .type = type,
                                               .width = type == CUTOUT_TEXT ? size : 0,
                                               .unit = unit,
                                               .values = *values};
    return 0;
}

/* Value i of a column. What is not measured is NaN, or 0 where that cannot be. */
static void set_number(void *values, enum cutout_type type, size_t i, double value)
{
    if (type == CUTOUT_INT64)
        ((int64_t *)values)[i] = fabs(value) < INT64_LIMIT ? (int64_t)value : 0;
    else if (type == CUTOUT_REAL64)
        ((double *)values)[i] = value;
    else
        ((float *)values)[i] = (float)value;
}

/* Numbers picked from an array by the row of the catalogue, or of the truth. */
static int add_numbers(struct columns *columns, const char *name, enum cutout_type type, const char *unit,
                       const struct selection *selection, const double *from, bool from_truth,
                       struct err *err)
{
    void *values;
    int code = add_column(columns, name, type, type == CUTOUT_REAL32 ? sizeof(float) : 8, unit,
                          selection->count, &values, err);
    for (size_t i = 0; i < selection->count && !code; i++) {
        long row = from_truth ? selection->chosen[i].injected : selection->chosen[i].row;
        set_number(values, type, i, row < 0 ? NAN : from[row]);
    }
    return code;
}

/* What stamps are placed by. */
static int add_places(struct columns *columns, const struct selection *selection, struct err *err)
{
    static const struct {
        const char *name, *unit;
        size_t offset;
    } PLACES[] = {{"ra", "deg", offsetof(struct chosen, ra_deg)},
                  {"dec", "deg", offsetof(struct chosen, dec_deg)},
                  {"x", "px", offsetof(struct chosen, x_px)},
                  {"y", "px", offsetof(struct chosen, y_px)}};
    int code = 0;
    for (size_t p = 0; p < sizeof PLACES / sizeof *PLACES && !code; p++) {
        void *values = NULL;
        code = add_column(columns, PLACES[p].name, CUTOUT_REAL64, sizeof(double), PLACES[p].unit,
                          selection->count, &values, err);
        for (size_t i = 0; i < selection->count && !code; i++)
            memcpy((double *)values + i, (const char *)&selection->chosen[i] + PLACES[p].offset,
                   sizeof(double));
    }
    return code;
}

/* One line of MEASURED, in one band or ('\0') in none. */
static int add_measured(struct columns *columns, size_t line, char band, struct catalogue *catalogue,
                        const struct selection *selection, struct err *err)
{
    CLEANUP(free_ptr)
    char *name =
        band ? str_format("%s_%c", MEASURED[line].name, band) : str_format("%s", MEASURED[line].name);
    const double *values;
    if (MEASURED[line].optional && !catalogue_has(catalogue, name))
        return 0;
    int code = catalogue_quantity(catalogue, name, &values, err);
    return code ? code
                : add_numbers(columns, name, MEASURED[line].type, MEASURED[line].unit, selection, values,
                              false, err);
}

static int add_all_measured(struct columns *columns, const char *bands, struct catalogue *catalogue,
                            const struct selection *selection, struct err *err)
{
    int code = 0;
    for (size_t line = 0; line < sizeof MEASURED / sizeof *MEASURED && !code; line++) {
        if (!MEASURED[line].per_band)
            code = add_measured(columns, line, '\0', catalogue, selection, err);
        for (const char *band = bands; MEASURED[line].per_band && *band && !code; band++)
            code = add_measured(columns, line, *band, catalogue, selection, err);
    }
    return code;
}

/* id: of the truth where there is one, else (release, brickid, objid) in one number. */
static int add_names(struct columns *columns, const struct item *item, const struct catalogue *catalogue,
                     const struct truth *truth, const struct selection *selection, struct err *err)
{
    size_t width = strlen(item->brick.name) > BRICKNAME_WIDTH ? BRICK_NAME_MAX : BRICKNAME_WIDTH;
    void *id, *brick = NULL;
    int code = add_column(columns, "id", CUTOUT_INT64, sizeof(int64_t), NULL, selection->count, &id, err);
    if (!code)
        code = add_column(columns, "brickname", CUTOUT_TEXT, width, NULL, selection->count, &brick, err);
    for (size_t i = 0; i < selection->count && !code; i++) {
        const struct chosen *chosen = &selection->chosen[i];
        ((int64_t *)id)[i] =
            truth ? truth->id[chosen->injected] : catalogue_id(catalogue, (size_t)chosen->row);
        memcpy((char *)brick + i * width, item->brick.name, strlen(item->brick.name));
    }
    return code;
}

static int add_type(struct columns *columns, const struct catalogue *catalogue,
                    const struct selection *selection, struct err *err)
{
    void *type;
    int code =
        add_column(columns, "type", CUTOUT_TEXT, CATALOGUE_TYPE_WIDTH, NULL, selection->count, &type, err);
    for (size_t i = 0; i < selection->count && !code; i++) {
        if (selection->chosen[i].row >= 0)
            memcpy((char *)type + i * CATALOGUE_TYPE_WIDTH,
                   catalogue_type(catalogue, (size_t)selection->chosen[i].row), CATALOGUE_TYPE_WIDTH);
    }
    return code;
}

/* neighbour: arcsec to the nearest other row of the catalogue, selected or not. */
static int add_neighbour(struct columns *columns, struct catalogue *catalogue,
                         const struct selection *selection, double pixscale_arcsec, struct err *err)
{
    struct points points = {.count = catalogue_rows(catalogue), .usable = catalogue_usable(catalogue)};
    CLEANUP(free_ptr) double *distance = calloc(points.count + 1, sizeof *distance);
    if (!distance)
        return err_set(err, -ENOMEM, "out of memory for %s", catalogue_path(catalogue));
    int code = catalogue_quantity(catalogue, "bx", &points.x, err);
    if (!code)
        code = catalogue_quantity(catalogue, "by", &points.y, err);
    if (!code)
        code = match_neighbours(&points, distance, err);
    for (size_t i = 0; i < points.count && !code; i++)
        distance[i] *= pixscale_arcsec;
    return code ? code
                : add_numbers(columns, "neighbour", CUTOUT_REAL32, "arcsec", selection, distance, false, err);
}

/* edge: 1 where part of the stamp lies outside the image. */
static int add_edge(struct columns *columns, const struct selection *selection, struct err *err)
{
    void *values;
    int code =
        add_column(columns, "edge", CUTOUT_INT64, sizeof(int64_t), NULL, selection->count, &values, err);
    for (size_t i = 0; i < selection->count && !code; i++)
        ((int64_t *)values)[i] = selection->chosen[i].edge;
    return code;
}

static int add_truth(struct columns *columns, const char *bands, const struct truth *truth,
                     const struct selection *selection, struct err *err)
{
    int code = add_numbers(columns, "true_x", CUTOUT_REAL64, "px", selection, truth->x, true, err);
    if (!code)
        code = add_numbers(columns, "true_y", CUTOUT_REAL64, "px", selection, truth->y, true, err);
    for (size_t b = 0; bands[b] && !code; b++) {
        CLEANUP(free_ptr) char *name = str_format("true_mag_%c", bands[b]);
        code = add_numbers(columns, name, CUTOUT_REAL32, "mag", selection, truth->mag[b], true, err);
    }
    if (!code)
        code =
            add_numbers(columns, "true_rhalf", CUTOUT_REAL32, "arcsec", selection, truth->rhalf, true, err);
    return code ? code
                : add_numbers(columns, "true_n", CUTOUT_REAL32, NULL, selection, truth->sersic, true, err);
}

int columns_make(struct columns *columns, const struct item *item, const char *bands,
                 struct catalogue *catalogue, const struct truth *truth, const struct selection *selection,
                 double pixscale_arcsec, struct err *err)
{
    memset(columns, 0, sizeof *columns);
    int code = add_names(columns, item, catalogue, truth, selection, err);
    if (!code)
        code = add_places(columns, selection, err);
    if (!code && catalogue)
        code = add_type(columns, catalogue, selection, err);
    if (!code && catalogue)
        code = add_all_measured(columns, bands, catalogue, selection, err);
    if (!code && catalogue)
        code = add_neighbour(columns, catalogue, selection, pixscale_arcsec, err);
    if (!code)
        code = add_edge(columns, selection, err);
    return code || !truth || truth->bare ? code : add_truth(columns, bands, truth, selection, err);
}
