/* See tractor.h. */
#include "daemon/worker/sky/tractor.h"
#include "daemon/worker/sky/cards.h"
#include "daemon/worker/sky/table.h"

#include <errno.h>
#include <math.h>
#include <string.h>

void observation_fwhm_px(const struct observation *observation, double fwhm_px[BAND_COUNT])
{
    for (int b = 0; b < BAND_COUNT; b++)
        fwhm_px[b] = observation->fwhm_arcsec[b] / observation->pixscale_arcsec;
}

int sources_measure(const struct coadd *coadd, const struct observation *observation, struct measured **rows,
                    size_t *count, struct err *err)
{
    CLEANUP(detections_free) struct detections found = {0};
    CLEANUP(measurer_destroy_ptr) struct measurer *measurer = NULL;
    double fwhm_px[BAND_COUNT];
    observation_fwhm_px(observation, fwhm_px);
    int code = measurer_create(&measurer, fwhm_px, err);
    if (!code)
        code = detections_find(&found, coadd, fwhm_px, err);
    if (code)
        return code;
    *rows = calloc(found.count + 1, sizeof **rows);
    if (!*rows)
        return err_set(err, -ENOMEM, "out of memory for %zu sources", found.count);
    for (size_t i = 0; i < found.count; i++)
        measure_source(measurer, coadd, &found, i, &(*rows)[i]);
    *count = found.count;
    return 0;
}

/* All columns of a catalogue, each `count` long. */
enum {
    RA,
    DEC,
    BX,
    BY,
    SHAPE_R,
    SHAPE_R_IVAR,
    SHAPE_E1,
    SHAPE_E2,
    SERSIC,
    EBV,
    SNR,
    FLUX,
    FLUX_IVAR = FLUX + BAND_COUNT,
    DUST = FLUX_IVAR + BAND_COUNT,
    PSFSIZE = DUST + BAND_COUNT,
    PSFDEPTH = PSFSIZE + BAND_COUNT,
    REALS = PSFDEPTH + BAND_COUNT
};
enum {
    NOBS,
    ALLMASK = NOBS + BAND_COUNT,
    ANYMASK = ALLMASK + BAND_COUNT,
    MASKBITS = ANYMASK + BAND_COUNT,
    SHORTS
};
enum { RELEASE, BRICKID, OBJID, INTS };
enum { TYPE_WIDTH = 3, BRICKNAME_WIDTH = 8, COLUMNS_MAX = REALS + SHORTS + INTS + 3 };

/* Bits of maskbits and of allmask, as DR9 has them. */
enum { MASK_NPRIMARY = 0x1, MASK_ALLMASK_G = 0x20, CCD_BADPIX = 0x1 };

struct columns {
    double *reals[REALS];
    int16_t *shorts[SHORTS];
    int32_t *ints[INTS];
    bool *primary;
    char *type, *brickname;
    struct table_column list[COLUMNS_MAX];
    size_t listed;
    void *memory;
};

static void columns_free(struct columns *columns)
{
    free(columns->memory);
}

static int columns_create(struct columns *columns, size_t count, struct err *err)
{
    size_t row = REALS * sizeof(double) + INTS * sizeof(int32_t) + SHORTS * sizeof(int16_t) + 1 + TYPE_WIDTH +
                 BRICKNAME_WIDTH;
    memset(columns, 0, sizeof *columns);
    char *at = columns->memory = calloc(count + 1, row);
    if (!at)
        return err_set(err, -ENOMEM, "out of memory for a catalogue of %zu sources", count);
    for (int c = 0; c < REALS; c++, at += count * sizeof(double))
        columns->reals[c] = (double *)(void *)at;
    for (int c = 0; c < INTS; c++, at += count * sizeof(int32_t))
        columns->ints[c] = (int32_t *)(void *)at;
    for (int c = 0; c < SHORTS; c++, at += count * sizeof(int16_t))
        columns->shorts[c] = (int16_t *)(void *)at;
    columns->primary = (bool *)at;
    columns->type = at + count;
    columns->brickname = columns->type + count * TYPE_WIDTH;
    return 0;
}

static void add_column(struct columns *columns, const char *name, enum table_type type, const char *unit,
                       const void *values)
{
    size_t width = values == columns->type ? TYPE_WIDTH : values == columns->brickname ? BRICKNAME_WIDTH : 0;
    columns->list[columns->listed++] = (struct table_column){name, type, width, unit, values};
}

static void add_bands(struct columns *columns, const char *const names[BAND_COUNT], enum table_type type,
                      const char *unit, int first)
{
    for (int b = 0; b < BAND_COUNT; b++)
        add_column(columns, names[b], type, unit,
                   type == TABLE_INT16 ? (void *)columns->shorts[first + b]
                                       : (void *)columns->reals[first + b]);
}

#define BANDS(stem) ((const char *const[BAND_COUNT]){stem "_g", stem "_r", stem "_z"})

static void list_columns(struct columns *c)
{
    add_column(c, "release", TABLE_INT32, NULL, c->ints[RELEASE]);
    add_column(c, "brickid", TABLE_INT32, NULL, c->ints[BRICKID]);
    add_column(c, "brickname", TABLE_TEXT, NULL, c->brickname);
    add_column(c, "objid", TABLE_INT32, NULL, c->ints[OBJID]);
    add_column(c, "brick_primary", TABLE_BOOL, NULL, c->primary);
    add_column(c, "maskbits", TABLE_INT16, NULL, c->shorts[MASKBITS]);
    add_column(c, "type", TABLE_TEXT, NULL, c->type);
    add_column(c, "ra", TABLE_REAL64, "deg", c->reals[RA]);
    add_column(c, "dec", TABLE_REAL64, "deg", c->reals[DEC]);
    add_column(c, "bx", TABLE_REAL64, "pix", c->reals[BX]);
    add_column(c, "by", TABLE_REAL64, "pix", c->reals[BY]);
    add_column(c, "ebv", TABLE_REAL64, "mag", c->reals[EBV]);
    add_bands(c, BANDS("flux"), TABLE_REAL64, "nanomaggy", FLUX);
    add_bands(c, BANDS("flux_ivar"), TABLE_REAL64, "1/nanomaggy^2", FLUX_IVAR);
    add_bands(c, BANDS("mw_transmission"), TABLE_REAL64, NULL, DUST);
    add_bands(c, BANDS("nobs"), TABLE_INT16, NULL, NOBS);
    add_bands(c, BANDS("anymask"), TABLE_INT16, NULL, ANYMASK);
    add_bands(c, BANDS("allmask"), TABLE_INT16, NULL, ALLMASK);
    add_bands(c, BANDS("psfsize"), TABLE_REAL64, "arcsec", PSFSIZE);
    add_bands(c, BANDS("psfdepth"), TABLE_REAL64, "1/nanomaggy^2", PSFDEPTH);
    add_column(c, "sersic", TABLE_REAL64, NULL, c->reals[SERSIC]);
    add_column(c, "shape_r", TABLE_REAL64, "arcsec", c->reals[SHAPE_R]);
    add_column(c, "shape_r_ivar", TABLE_REAL64, "1/arcsec^2", c->reals[SHAPE_R_IVAR]);
    add_column(c, "shape_e1", TABLE_REAL64, NULL, c->reals[SHAPE_E1]);
    add_column(c, "shape_e2", TABLE_REAL64, NULL, c->reals[SHAPE_E2]);
    add_column(c, "snr", TABLE_REAL64, NULL, c->reals[SNR]);
}

static bool is_primary(const struct observation *observation, double ra, double dec)
{
    const double *bounds = observation->ra_deg, *heights = observation->dec_deg;
    if (bounds[0] == bounds[1])
        return true;
    return ra >= bounds[0] && ra < bounds[1] && dec >= heights[0] && dec < heights[1];
}

static void fill_bands(struct columns *c, size_t i, const struct observation *observation,
                       const struct measured *row)
{
    for (int b = 0; b < BAND_COUNT; b++) {
        bool exposed = row->invvar[b] > 0;
        double one = observation->exposure_invvar[b];
        c->reals[FLUX + b][i] = row->flux[b];
        c->reals[FLUX_IVAR + b][i] = row->flux_ivar[b];
        c->reals[DUST + b][i] = observation->mw_transmission[b];
        c->reals[PSFSIZE + b][i] = observation->fwhm_arcsec[b];
        c->reals[PSFDEPTH + b][i] = row->psfdepth[b];
        c->shorts[NOBS + b][i] = !exposed  ? 0
                                 : one > 0 ? (int16_t)fmax(lrint(row->invvar_around[b] / one), 1)
                                           : 1;
        c->shorts[ALLMASK + b][i] = c->shorts[ANYMASK + b][i] = exposed ? 0 : CCD_BADPIX;
        c->shorts[MASKBITS][i] |= (int16_t)(exposed ? 0 : MASK_ALLMASK_G << b);
    }
}

static void fill_row(struct columns *c, size_t i, const struct brick *brick,
                     const struct observation *observation, const struct measured *row)
{
    double scale = observation->pixscale_arcsec;
    c->ints[RELEASE][i] = (int32_t)observation->release;
    c->ints[BRICKID][i] = (int32_t)observation->brickid;
    c->ints[OBJID][i] = (int32_t)i;
    memcpy(c->brickname + i * BRICKNAME_WIDTH, brick->name, BRICKNAME_WIDTH); /* NUL-padded */
    memcpy(c->type + i * TYPE_WIDTH, row->type, TYPE_WIDTH);
    c->reals[BX][i] = row->x_px;
    c->reals[BY][i] = row->y_px;
    c->primary[i] = is_primary(observation, c->reals[RA][i], c->reals[DEC][i]);
    c->shorts[MASKBITS][i] = c->primary[i] ? 0 : MASK_NPRIMARY;
    c->reals[EBV][i] = -2.5 * log10(observation->mw_transmission[0]) / 3.214; /* A_g / E(B-V) of DR9 */
    c->reals[SHAPE_R][i] = row->rhalf_px * scale;
    c->reals[SHAPE_R_IVAR][i] = row->rhalf_ivar / (scale * scale);
    c->reals[SHAPE_E1][i] = row->e1;
    c->reals[SHAPE_E2][i] = row->e2;
    c->reals[SERSIC][i] = row->rhalf_px > 0 ? 1 : 0;
    c->reals[SNR][i] = row->snr;
    fill_bands(c, i, observation, row);
}

int tractor_publish(const char *path, const struct brick *brick, const struct observation *observation,
                    struct wcs *wcs, const struct measured *rows, size_t count, struct err *err)
{
    CLEANUP(columns_free) struct columns columns;
    int code = columns_create(&columns, count, err);
    if (code)
        return code;
    for (size_t i = 0; i < count; i++) {
        columns.reals[BX][i] = rows[i].x_px;
        columns.reals[BY][i] = rows[i].y_px;
    }
    code = wcs_to_sky(wcs, count, columns.reals[BX], columns.reals[BY], columns.reals[RA], columns.reals[DEC],
                      err);
    for (size_t i = 0; !code && i < count; i++)
        fill_row(&columns, i, brick, observation, &rows[i]);
    list_columns(&columns);
    struct table_key key = {"DECOYVER", DECOY_VERSION, "decoy that made this table"};
    return code ? code : table_publish(path, "TRACTOR", count, columns.list, columns.listed, &key, 1, err);
}

static int value_order(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Median over the rows of the values above 0; 0 without one. */
static int read_median(struct table *table, const char *column, double *median, struct err *err)
{
    size_t rows = table_rows(table), kept = 0;
    CLEANUP(free_ptr) double *values = calloc(rows + 1, sizeof *values);
    int code = values ? table_read_reals(table, column, 0, values, err)
                      : err_set(err, -ENOMEM, "out of memory for %zu rows", rows);
    for (size_t i = 0; !code && i < rows; i++) {
        if (values[i] > 0)
            values[kept++] = values[i];
    }
    if (!code)
        qsort(values, kept, sizeof *values, value_order);
    *median = !code && kept ? values[kept / 2] : 0;
    return code;
}

static int read_bands(struct observation *observation, struct table *table, const char *path, struct err *err)
{
    int code = 0;
    for (int b = 0; !code && b < BAND_COUNT; b++) {
        char name[32];
        snprintf(name, sizeof name, "psfsize_%c", BAND_NAMES[b]);
        code = read_median(table, name, &observation->fwhm_arcsec[b], err);
        if (!code && !(observation->fwhm_arcsec[b] > 0 && observation->fwhm_arcsec[b] < 60))
            code = err_set(err, -EINVAL, "%s: %s holds no PSF size between 0 and 60 arcsec", path, name);
        snprintf(name, sizeof name, "mw_transmission_%c", BAND_NAMES[b]);
        if (!code && table_has(table, name))
            code = read_median(table, name, &observation->mw_transmission[b], err);
        if (!(observation->mw_transmission[b] > 0))
            observation->mw_transmission[b] = 1;
    }
    return code;
}

/* The first row's value of an integer column; 0 without. */
static int read_first(struct table *table, const char *column, int64_t *value, struct err *err)
{
    CLEANUP(free_ptr) int64_t *values = calloc(table_rows(table) + 1, sizeof *values);
    if (!values)
        return err_set(err, -ENOMEM, "out of memory for %zu rows", table_rows(table));
    int code = table_has(table, column) ? table_read_ints(table, column, values, err) : 0;
    *value = values[0];
    return code;
}

int observation_read(struct observation *observation, const struct survey *survey, const struct brick *brick,
                     const struct coadd *coadd, struct err *err)
{
    CLEANUP(free_ptr) char *path = NULL;
    CLEANUP(table_close_ptr) struct table *table = NULL;
    CLEANUP(wcs_close_ptr) struct wcs *wcs = NULL;
    memset(observation, 0, sizeof *observation);
    int code = survey_find_catalogue(survey, brick, &path, err);
    if (!code)
        code = table_open(&table, path, err);
    if (!code)
        code = read_bands(observation, table, path, err);
    if (!code)
        code = read_first(table, "release", &observation->release, err);
    if (!code)
        code = read_first(table, "brickid", &observation->brickid, err);
    if (!code)
        code = wcs_open(&wcs, coadd->image[0].header, brick->name, err);
    if (code)
        return code;
    observation->pixscale_arcsec = wcs_pixscale(wcs);
    const char *cards = coadd->image[0].header;
    if (!cards_find_real(cards, "RAMIN", &observation->ra_deg[0]) ||
        !cards_find_real(cards, "RAMAX", &observation->ra_deg[1]) ||
        !cards_find_real(cards, "DECMIN", &observation->dec_deg[0]) ||
        !cards_find_real(cards, "DECMAX", &observation->dec_deg[1]))
        observation->ra_deg[0] = observation->ra_deg[1] = 0;
    for (int b = 0; b < BAND_COUNT; b++)
        cards_find_real(coadd->invvar[b].header, "EXPINVV", &observation->exposure_invvar[b]);
    return 0;
}
