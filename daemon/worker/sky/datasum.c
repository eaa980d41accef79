/* See datasum.h. */
#include "daemon/worker/sky/datasum.h"

#include <string.h>

uint32_t datasum(uint32_t so_far, const uint8_t *bytes, size_t size)
{
    uint64_t sum = so_far;
    for (size_t i = 0; i < size; i += 4) {
        uint32_t word;
        memcpy(&word, bytes + i, sizeof word);
        sum += __builtin_bswap32(word);
    }
    while (sum >> 32)
        sum = (sum & UINT32_MAX) + (sum >> 32);
    return (uint32_t)sum;
}
