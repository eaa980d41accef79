/* Stamps that stand at one place of the sky. What audit calls one place (check_overlap.c) is one here. */
#include "common/cleanup.h"
#include "daemon/worker/sky/near.h"
#include "daemon/worker/split/parts_private.h"
#include "daemon/worker/split/plan.h"

#include <errno.h>
#include <math.h>

#define SAME_PLACE_ARCSEC 1.0

uint32_t places_root(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

void places_join(uint32_t *parent, uint32_t one, uint32_t two)
{
    one = places_root(parent, one);
    two = places_root(parent, two);
    parent[one > two ? one : two] = one < two ? one : two;
}

static void join(void *parent, uint32_t one, uint32_t two)
{
    places_join(parent, one, two);
}

int places_group(const struct scan *scan, uint32_t *parent, struct err *err)
{
    size_t count = 0;
    if (scan->total >= UINT32_MAX)
        return err_set(err, -EFBIG, "%zu stamps are more than 2^32", scan->total);
    CLEANUP(free_ptr) struct near_place *places = calloc(scan->total + 1, sizeof *places);
    if (!places)
        return err_set(err, -ENOMEM, "the places of %zu stamps do not fit in memory", scan->total);
    for (size_t i = 0; i < scan->total; i++) {
        const struct stamp_key *key = &scan->keys[i];
        parent[i] = (uint32_t)i;
        if (isfinite(key->ra_deg) && isfinite(key->dec_deg))
            places[count++] = (struct near_place){key->ra_deg, key->dec_deg, (uint32_t)i};
    }
    near_pairs(places, count, SAME_PLACE_ARCSEC, join, parent);
    return 0;
}

/* A group's part is its first stamp's that is in one. */
static void drop_strays(struct parts *parts, const struct scan *scan, uint32_t *parent, uint8_t *of_place)
{
    for (size_t i = 0; i < scan->total; i++) {
        uint8_t *part = &of_place[places_root(parent, (uint32_t)i)];
        if (*part == PART_NONE)
            *part = parts->stamps[i];
        if (parts->stamps[i] == PART_NONE || parts->stamps[i] == *part)
            continue;
        parts->stamps[i] = PART_NONE;
        parts->copies++;
    }
}

int places_drop_copies(struct parts *parts, const struct scan *scan, struct err *err)
{
    CLEANUP(free_ptr) uint32_t *parent = calloc(scan->total + 1, sizeof *parent);
    CLEANUP(free_ptr) uint8_t *of_place = calloc(scan->total + 1, 1);
    if (!parent || !of_place)
        return err_set(err, -ENOMEM, "the places of %zu stamps do not fit in memory", scan->total);
    int code = places_group(scan, parent, err);
    if (code)
        return code;
    for (size_t i = 0; i < scan->total; i++)
        of_place[i] = PART_NONE;
    drop_strays(parts, scan, parent, of_place);
    return 0;
}
