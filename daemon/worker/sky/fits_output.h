/* FITS files made in memory and then published whole. What plane_write.c and table_write.c share. Private to
 * sky/. */
#ifndef DECOY_SKY_FITS_OUTPUT_H
#define DECOY_SKY_FITS_OUTPUT_H

#include "common/cleanup.h"
#include "common/err.h"

#include <fitsio.h>
#include <stddef.h>

struct fits_output {
    fitsfile *file;
    void *bytes;
    size_t room;
};

int fits_output_open(struct fits_output *output, const char *path, size_t expected_size, struct err *err);

/* Writes the file (gzipped where path ends in .gz) aside, fsyncs and renames it. */
int fits_output_publish(struct fits_output *output, const char *path, struct err *err);
void fits_output_free(struct fits_output *output); /* its contents */

/* "cannot write <path>: <CFITSIO's words>". Returns -EIO, or -ENOMEM. */
int fits_output_failed(int status, const char *path, struct err *err);

#endif
