/* Opening FITS files of the world by CFITSIO, and what plane_tiles.c and table_read.c share. Private to sky/. */
#ifndef DECOY_SKY_FITS_INPUT_H
#define DECOY_SKY_FITS_INPUT_H

#include "common/cleanup.h"
#include "common/err.h"

#include <fitsio.h>
#include <stddef.h>

/* -errno and a sentence for what is no regular file with something in it: CFITSIO would wait for ever on a
 * pipe, and say little of an empty file. */
int fits_input_check(const char *path, struct err *err);

/* Opens a regular file read-only, its name taken literally (CFITSIO's extended syntax could write files and
 * fetch URLs). CFITSIO unpacks a gzipped file into memory. */
int fits_input_open(fitsfile **out, const char *path, struct err *err);
void fits_input_close(fitsfile *file); /* NULL is fine */
CLEANUP_DEFINE(fits_input_close_ptr, fitsfile, fits_input_close)

/* "cannot <what> <path>: <CFITSIO's words>", with CFITSIO's message stack cleared. Returns -EIO. */
int fits_input_failed(int status, const char *what, const char *path, struct err *err);

/* -EIO and a sentence when the present HDU's data unit, `bytes` long, does not lie within the file. */
int fits_input_check_size(fitsfile *file, long long bytes, const char *path, struct err *err);

#endif
