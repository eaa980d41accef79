/* See half.h. */
#include "daemon/worker/dataset/half.h"

#include <math.h>
#include <string.h>

enum { MANTISSA_BITS = 10, FLOAT_MANTISSA_BITS = 23, BIAS = 15, FLOAT_BIAS = 127, INFINITE = 0x7c00 };

#define LEAST_NORMAL 6.103515625e-05f        /* 2^-14 */
#define LEAST        5.9604644775390625e-08f /* 2^-24 */

uint16_t half_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    float size = fabsf(value);
    if (isnan(value))
        return sign | INFINITE | 1 << (MANTISSA_BITS - 1);
    if (size < LEAST_NORMAL)
        return sign | (uint16_t)rintf(size / LEAST);
    bits &= 0x7fffffff;
    const unsigned dropped = FLOAT_MANTISSA_BITS - MANTISSA_BITS;
    bits += (1u << (dropped - 1)) - 1 + (bits >> dropped & 1); /* carries into the exponent where it must */
    bits = (bits >> dropped) - ((FLOAT_BIAS - BIAS) << MANTISSA_BITS);
    return sign | (uint16_t)(bits < INFINITE ? bits : INFINITE);
}

float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, size = half & 0x7fff, bits;
    float value;
    if (size < 1 << MANTISSA_BITS) {
        value = (float)size * LEAST;
        return sign ? -value : value;
    }
    bits = size << (FLOAT_MANTISSA_BITS - MANTISSA_BITS);
    bits += (size < INFINITE ? FLOAT_BIAS - BIAS : 2 * (FLOAT_BIAS - BIAS)) << FLOAT_MANTISSA_BITS;
    bits |= sign;
    memcpy(&value, &bits, sizeof value);
    return value;
}
