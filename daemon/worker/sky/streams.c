/* See streams.h. */
#include "daemon/worker/sky/streams.h"

#include <string.h>
#include <xxhash.h>

uint64_t brick_index(const struct brick *brick)
{
    char text[BRICK_NAME_MAX + RUN_NAME_MAX + 2];
    int length = snprintf(text, sizeof text, "%s/%s", brick->name, brick->run);
    return XXH3_64bits(text, (size_t)length) & ~(uint64_t)0xff;
}
