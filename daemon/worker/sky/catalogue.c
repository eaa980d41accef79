/* See catalogue.h. Columns are read when they are first asked for, and kept. */
#include "daemon/worker/sky/catalogue.h"
#include "common/str.h"
#include "daemon/worker/sky/photometry.h"
#include "daemon/worker/sky/table.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

enum { QUANTITIES_MAX = 128, BANDS_MAX = 8 };

/* DR3, description of the catalogues: SIMP is an exponential of fixed size. */
#define SIMP_RADIUS_ARCSEC 0.45

#define INT64_LIMIT 9e18

struct quantity {
    char *name;
    double *values;
};

struct catalogue {
    struct table *table;
    char *path, *bands;
    size_t rows;
    struct quantity quantities[QUANTITIES_MAX];
    size_t count;
    char *types; /* rows x CATALOGUE_TYPE_WIDTH */
    bool *usable;
    const double *release, *brickid, *objid; /* release and brickid: NULL where there is no such column */
};

void catalogue_close(struct catalogue *catalogue)
{
    if (!catalogue)
        return;
    for (size_t i = 0; i < catalogue->count; i++) {
        free(catalogue->quantities[i].name);
        free(catalogue->quantities[i].values);
    }
    table_close(catalogue->table);
    free(catalogue->path);
    free(catalogue->bands);
    free(catalogue->types);
    free(catalogue->usable);
    free(catalogue);
}

size_t catalogue_rows(const struct catalogue *catalogue)
{
    return catalogue->rows;
}

const char *catalogue_path(const struct catalogue *catalogue)
{
    return catalogue->path;
}

const char *catalogue_bands(const struct catalogue *catalogue)
{
    return catalogue->bands;
}

const char *catalogue_origin(const struct catalogue *catalogue)
{
    return table_origin(catalogue->table);
}

const char *catalogue_type(const struct catalogue *catalogue, size_t row)
{
    return catalogue->types + row * CATALOGUE_TYPE_WIDTH;
}

const bool *catalogue_usable(const struct catalogue *catalogue)
{
    return catalogue->usable;
}

/* 0 where there is no such column, or no such integer. */
static int64_t int_of(const double *values, size_t row)
{
    return values && fabs(values[row]) < INT64_LIMIT ? (int64_t)values[row] : 0;
}

int64_t catalogue_id(const struct catalogue *catalogue, size_t row)
{
    int64_t release = int_of(catalogue->release, row), brick = int_of(catalogue->brickid, row);
    return (release & 0xffff) << 42 | (brick & 0xfffff) << 22 | (int_of(catalogue->objid, row) & 0x3fffff);
}

int64_t catalogue_release(const struct catalogue *catalogue)
{
    return catalogue->rows ? int_of(catalogue->release, 0) : 0;
}

static bool type_is(const struct catalogue *catalogue, size_t row, const char *type)
{
    return strncmp(catalogue_type(catalogue, row), type, CATALOGUE_TYPE_WIDTH) == 0;
}

/* DR3 kept the bands u g r i z Y as vectors: the vector and element of a name like flux_ivar_g, or NULL. */
static const char *vector_of(const char *name, int *element)
{
    static const struct {
        const char *stem, *vector;
    } VECTORS[] = {{"flux", "decam_flux"},
                   {"flux_ivar", "decam_flux_ivar"},
                   {"mw_transmission", "decam_mw_transmission"},
                   {"nobs", "decam_nobs"},
                   {"anymask", "decam_anymask"},
                   {"allmask", "decam_allmask"},
                   {"psfsize", "decam_psfsize"},
                   {"psfdepth", "decam_depth"}};
    static const char bands[] = "ugrizY";
    const char *last = strrchr(name, '_');
    if (!last || strlen(last) != 2 || !strchr(bands, last[1]))
        return NULL;
    *element = (int)(strchr(bands, last[1]) - bands);
    for (size_t i = 0; i < sizeof VECTORS / sizeof *VECTORS; i++) {
        if (strlen(VECTORS[i].stem) == (size_t)(last - name) &&
            strncmp(name, VECTORS[i].stem, (size_t)(last - name)) == 0)
            return VECTORS[i].vector;
    }
    return NULL;
}

/* The column that holds name and, of a vector, the element. */
static const char *column_of(const struct catalogue *catalogue, const char *name, int *element)
{
    *element = 0;
    const char *vector = table_has(catalogue->table, name) ? NULL : vector_of(name, element);
    if (vector && table_has(catalogue->table, vector))
        return vector;
    *element = 0;
    return name;
}

bool catalogue_has(const struct catalogue *catalogue, const char *name)
{
    int element;
    return table_has(catalogue->table, column_of(catalogue, name, &element));
}

static int read_column(struct catalogue *catalogue, const char *name, double *values, struct err *err)
{
    int element;
    const char *column = column_of(catalogue, name, &element);
    return table_read_reals(catalogue->table, column, element, values, err);
}

/* The quantity STEM_BAND. */
static int band_quantity(struct catalogue *catalogue, const char *stem, char band, const double **values,
                         struct err *err)
{
    CLEANUP(free_ptr) char *name = str_format("%s_%c", stem, band);
    return catalogue_quantity(catalogue, name, values, err);
}

static int derive_magnitude(struct catalogue *catalogue, char band, double *values, struct err *err)
{
    const double *flux, *transmission;
    int code = band_quantity(catalogue, "flux", band, &flux, err);
    if (!code)
        code = band_quantity(catalogue, "mw_transmission", band, &transmission, err);
    for (size_t i = 0; !code && i < catalogue->rows; i++)
        values[i] = flux[i] > 0 && transmission[i] > 0 ? mag_of_flux(flux[i], transmission[i]) : NAN;
    return code;
}

static int derive_snr(struct catalogue *catalogue, char band, double *values, struct err *err)
{
    const double *flux, *ivar;
    int code = band_quantity(catalogue, "flux", band, &flux, err);
    if (!code)
        code = band_quantity(catalogue, "flux_ivar", band, &ivar, err);
    for (size_t i = 0; !code && i < catalogue->rows; i++)
        values[i] = ivar[i] >= 0 ? flux[i] * sqrt(ivar[i]) : NAN;
    return code;
}

/* Half the mean psfsize (FWHM, arcsec) over the bands, for the rows of type PSF. */
static int derive_psf_radius(struct catalogue *catalogue, double *values, struct err *err)
{
    size_t bands = strlen(catalogue->bands);
    for (size_t i = 0; i < catalogue->rows; i++) {
        if (type_is(catalogue, i, "PSF"))
            values[i] = 0;
    }
    for (size_t b = 0; b < bands; b++) {
        const double *size;
        int code = band_quantity(catalogue, "psfsize", catalogue->bands[b], &size, err);
        if (code)
            return code;
        for (size_t i = 0; i < catalogue->rows; i++) {
            if (type_is(catalogue, i, "PSF"))
                values[i] += 0.5 * size[i] / (double)bands;
        }
    }
    return 0;
}

static double radius_by_type(const struct catalogue *catalogue, size_t row, double exponential,
                             double devaucouleurs)
{
    if (type_is(catalogue, row, "SIMP"))
        return exponential > 0 ? exponential : SIMP_RADIUS_ARCSEC;
    if (type_is(catalogue, row, "DEV"))
        return devaucouleurs;
    if (type_is(catalogue, row, "COMP"))
        return fmax(exponential, devaucouleurs);
    return exponential;
}

static int derive_radius(struct catalogue *catalogue, double *values, struct err *err)
{
    const double *shape, *exponential, *devaucouleurs;
    int code;
    if (table_has(catalogue->table, "shape_r") || !table_has(catalogue->table, "shapeexp_r")) {
        code = catalogue_quantity(catalogue, "shape_r", &shape, err);
        if (!code)
            memcpy(values, shape, catalogue->rows * sizeof *values);
    } else {
        code = catalogue_quantity(catalogue, "shapeexp_r", &exponential, err);
        if (!code)
            code = catalogue_quantity(catalogue, "shapedev_r", &devaucouleurs, err);
        for (size_t i = 0; !code && i < catalogue->rows; i++)
            values[i] = radius_by_type(catalogue, i, exponential[i], devaucouleurs[i]);
    }
    return code ? code : derive_psf_radius(catalogue, values, err);
}

static int fill_quantity(struct catalogue *catalogue, const char *name, double *values, struct err *err)
{
    size_t length = strlen(name);
    if (strcmp(name, "rhalf") == 0)
        return derive_radius(catalogue, values, err);
    if (length == 5 && strncmp(name, "mag_", 4) == 0)
        return derive_magnitude(catalogue, name[4], values, err);
    if (length == 5 && strncmp(name, "snr_", 4) == 0)
        return derive_snr(catalogue, name[4], values, err);
    return read_column(catalogue, name, values, err);
}

int catalogue_quantity(struct catalogue *catalogue, const char *name, const double **values, struct err *err)
{
    if (strlen(name) == 1)
        return band_quantity(catalogue, "mag", name[0], values, err);
    for (size_t i = 0; i < catalogue->count; i++) {
        if (strcasecmp(catalogue->quantities[i].name, name) == 0) {
            *values = catalogue->quantities[i].values;
            return 0;
        }
    }
    CLEANUP(free_ptr) double *made = calloc(catalogue->rows + 1, sizeof *made);
    if (!made)
        return err_set(err, -ENOMEM, "out of memory for column %s of %s", name, catalogue->path);
    int code = fill_quantity(catalogue, name, made, err);
    if (code)
        return code;
    if (catalogue->count == QUANTITIES_MAX)
        return err_set(err, -E2BIG, "more than %d quantities are asked of %s", QUANTITIES_MAX,
                       catalogue->path);
    *values = made;
    catalogue->quantities[catalogue->count++] = (struct quantity){str_format("%s", name), TAKE(made)};
    return 0;
}

static int require_bands(struct catalogue *catalogue, struct err *err)
{
    static const char *const stems[] = {"flux", "flux_ivar", "mw_transmission"};
    const double *values;
    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++) {
        for (const char *band = catalogue->bands; *band; band++) {
            int code = band_quantity(catalogue, stems[i], *band, &values, err);
            if (code)
                return code;
        }
    }
    return 0;
}

static int mark_usable(struct catalogue *catalogue, struct err *err)
{
    static const char *const positions[] = {"ra", "dec", "bx", "by"};
    catalogue->usable = calloc(catalogue->rows + 1, sizeof *catalogue->usable);
    if (!catalogue->usable)
        return err_set(err, -ENOMEM, "out of memory for %s", catalogue->path);
    for (size_t i = 0; i < catalogue->rows; i++)
        catalogue->usable[i] = !type_is(catalogue, i, "DUP");
    for (size_t p = 0; p < sizeof positions / sizeof *positions; p++) {
        const double *values;
        int code = catalogue_quantity(catalogue, positions[p], &values, err);
        if (code)
            return code;
        for (size_t i = 0; i < catalogue->rows; i++)
            catalogue->usable[i] = catalogue->usable[i] && isfinite(values[i]);
    }
    return 0;
}

/* What must be there. */
static int load_required(struct catalogue *catalogue, struct err *err)
{
    catalogue->types = calloc(catalogue->rows + 1, CATALOGUE_TYPE_WIDTH);
    if (!catalogue->types)
        return err_set(err, -ENOMEM, "out of memory for %s", catalogue->path);
    int code = table_read_text(catalogue->table, "type", CATALOGUE_TYPE_WIDTH, catalogue->types, err);
    if (!code)
        code = mark_usable(catalogue, err);
    if (!code)
        code = require_bands(catalogue, err);
    if (!code)
        code = catalogue_quantity(catalogue, "objid", &catalogue->objid, err);
    if (!code && table_has(catalogue->table, "release"))
        code = catalogue_quantity(catalogue, "release", &catalogue->release, err);
    if (!code && table_has(catalogue->table, "brickid"))
        code = catalogue_quantity(catalogue, "brickid", &catalogue->brickid, err);
    return code;
}

int catalogue_open(struct catalogue **out, const char *path, const char *bands, struct err *err)
{
    CLEANUP(catalogue_close_ptr) struct catalogue *catalogue = calloc(1, sizeof *catalogue);
    if (!catalogue)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    if (!*bands || strlen(bands) > BANDS_MAX)
        return err_set(err, -EINVAL, "bands \"%.20s\": give 1 to %d letters", bands, BANDS_MAX);
    catalogue->path = str_format("%s", path);
    catalogue->bands = str_format("%s", bands);
    int code = table_open(&catalogue->table, path, err);
    if (code)
        return code;
    catalogue->rows = table_rows(catalogue->table);
    code = load_required(catalogue, err);
    if (!code)
        *out = TAKE(catalogue);
    return code;
}
