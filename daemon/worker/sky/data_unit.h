/* The data unit of an HDU, read whole and once. Private to sky/. */
#ifndef DECOY_SKY_DATA_UNIT_H
#define DECOY_SKY_DATA_UNIT_H

#include "daemon/worker/sky/fits_header.h"

#include <stdint.h>

enum { DATA_UNIT_PADDING = 16 }; /* zeros behind it */

/* *data, the caller's to free, has `needed` bytes at least. -EIO when the file has fewer, or when the unit does not
 * match the header's DATASUM: only that shows damage that can be decoded. */
int data_unit_read(const struct fits_header *header, long long needed, const char *path, uint8_t **data,
                   struct err *err);

#endif
