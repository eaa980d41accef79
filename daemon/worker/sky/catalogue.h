/* A Tractor catalogue of DR3 to DR10 (or one made like it), read by the columns that are there: names without
 * regard to case, g r z as columns (flux_g) or as vectors (decam_flux, DR3). Documentation of the columns:
 * https://www.legacysurvey.org/dr9/catalogs and the same pages of the other releases. */
#ifndef DECOY_SKY_CATALOGUE_H
#define DECOY_SKY_CATALOGUE_H

#include "common/cleanup.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CATALOGUE_TYPE_WIDTH 4

struct catalogue;

/* bands: letters, e.g. "grz". Columns that must be there: type, ra, dec, bx, by, objid, and for each band
 * flux_, flux_ivar_ and mw_transmission_; a missing one is a sentence that names file and column. */
int catalogue_open(struct catalogue **out, const char *path, const char *bands, struct err *err);
void catalogue_close(struct catalogue *catalogue);
CLEANUP_DEFINE(catalogue_close_ptr, struct catalogue, catalogue_close)

size_t catalogue_rows(const struct catalogue *catalogue);
const char *catalogue_path(const struct catalogue *catalogue);
const char *catalogue_bands(const struct catalogue *catalogue); /* as given */
const char *catalogue_origin(const struct catalogue *catalogue); /* table_origin of the file */

/* True when the file has the column, by any of its names. */
bool catalogue_has(const struct catalogue *catalogue, const char *name);

/* One number a row, owned by the catalogue. Besides the file's own columns (band columns of DR3 by their
 * later names; logical ones are 0 and 1):
 *
 *   mag_<b>, or <b> alone   extinction-corrected magnitude (photometry.h); NaN where the flux is not positive
 *   snr_<b>                 flux times the square root of its inverse variance
 *   rhalf                   half-light radius, arcsec: of a PSF half the mean psfsize over the bands, else
 *                           shape_r, else shapeexp_r or shapedev_r by type (COMP: the larger; SIMP: 0.45)
 *
 * -ENOENT and a sentence when there is no such quantity. */
int catalogue_quantity(struct catalogue *catalogue, const char *name, const double **values, struct err *err);

/* Text without blanks, NUL-padded, of CATALOGUE_TYPE_WIDTH bytes and not always NUL-ended. */
const char *catalogue_type(const struct catalogue *catalogue, size_t row);

/* False for rows that are no object of their own (type DUP) or have no position. */
const bool *catalogue_usable(const struct catalogue *catalogue);

/* (release, brickid, objid) as desitarget's TARGETID: bits 42-57, 22-41 and 0-21. Missing columns count as 0.
 */
int64_t catalogue_id(const struct catalogue *catalogue, size_t row);

/* The release column's first value, or 0. */
int64_t catalogue_release(const struct catalogue *catalogue);

#endif
