/* The header of an image or table, read without CFITSIO, so that it can be checked before anything acts on it:
 * CFITSIO 4.2 divides by the tile sizes and trusts block sizes as soon as it comes to a compressed image.
 * Private to sky/. */
#ifndef DECOY_SKY_FITS_HEADER_H
#define DECOY_SKY_FITS_HEADER_H

#include "common/cleanup.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

struct fits_header;

/* The first HDU of the file, plain or gzipped, that holds an image with data, as it is or tile-compressed. */
int fits_header_open(struct fits_header **out, const char *path, struct err *err);

/* The first binary table that is no compressed image; the primary HDU, whatever it holds. */
int fits_header_open_table(struct fits_header **out, const char *path, struct err *err);
int fits_header_open_primary(struct fits_header **out, const char *path, struct err *err);
void fits_header_close(struct fits_header *header);
CLEANUP_DEFINE(fits_header_close_ptr, struct fits_header, fits_header_close)

int fits_header_hdu(const struct fits_header *header); /* from 1 */

/* Where its data unit begins, unpacked where the file is gzipped, and its size, bytes in whole blocks. */
long long fits_header_data(const struct fits_header *header, long long *size);

bool fits_header_packed(const struct fits_header *header);

/* The cards before END, 80 characters each, not NUL-ended; the value of one that has '=' after its name,
 * without quotes, blanks around it and comment. */
const char *fits_header_cards(const struct fits_header *header, size_t *count);
void fits_card_value(const char *card, char value[80]);

/* An integer keyword. fallback where it is not there; -EINVAL and a sentence where it is no plain integer or
 * stands there twice (CFITSIO might take the other one). */
int fits_header_int(const struct fits_header *header, const char *name, long long fallback, long long *value,
                    struct err *err);

/* A text keyword, "" where it is not there; what FITS does not allow in it becomes '?'. -EINVAL as above. */
int fits_header_text(const struct fits_header *header, const char *name, char *value, size_t size,
                     struct err *err);

#endif
