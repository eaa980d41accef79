/* Half-precision numbers (IEEE 754 binary16): 1 in 2048 from 6.1e-5 to 65504, in steps of 6e-8 below. */
#ifndef DECOY_DATASET_HALF_H
#define DECOY_DATASET_HALF_H

#include <stdint.h>

#define HALF_MAX 65504.0f

/* Rounds to nearest, ties to even; what is too large becomes infinite. */
uint16_t half_from_float(float value);
float half_to_float(uint16_t half);

#endif
