/* See median.h. */
#include "daemon/worker/sky/median.h"

#include <stdlib.h>

static int value_order(const void *a, const void *b)
{
    float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

float median_of(float *values, size_t count)
{
    if (!count)
        return 0;
    qsort(values, count, sizeof *values, value_order);
    return values[count / 2];
}
