#include "daemon/worker/net/sight.h"

#include <string.h>

static const char *const NAMES[SIGHT_MAX] = {"all", "image", "invvar", "background"};

const char *sight_name(enum sight sight)
{
    return sight < SIGHT_MAX ? NAMES[sight] : "unknown";
}

enum sight sight_find(const char *name)
{
    int sight = 0;
    while (sight < SIGHT_MAX && !(name && strcmp(NAMES[sight], name) == 0))
        sight++;
    return (enum sight)sight;
}

/* Distances from the stamp's middle in half pixels, so that they are whole numbers for an even side too. */
bool sight_is_middle(int side, int x, int y)
{
    const int dx = 2 * x + 1 - side, dy = 2 * y + 1 - side;
    return 4 * (dx * dx + dy * dy) < side * side;
}
