/* The median that detection, measurement and the writing of planes use. */
#ifndef DECOY_SKY_MEDIAN_H
#define DECOY_SKY_MEDIAN_H

#include <stddef.h>

/* Upper median; 0 of nothing. Sorts values, none of which may be NaN. */
float median_of(float *values, size_t count);

#endif
