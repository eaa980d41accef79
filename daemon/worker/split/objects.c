/* Parts by objects (parts.h): stamps are joined that stand at one place, or have one id in one brick and class;
 * what is joined is one object. */
#include "common/cleanup.h"
#include "daemon/worker/split/parts_private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static const double SAME_PLACE_DEG = 1.0 / 3600;

/* A stamp and what it is sorted by. */
struct entry {
    union {
        double dec_deg;
        uint64_t name;
    };
    uint32_t stamp;
};

static int compare_places(const void *a, const void *b)
{
    const struct entry *one = a, *two = b;
    return one->dec_deg < two->dec_deg ? -1 : one->dec_deg > two->dec_deg;
}

static int compare_names(const void *a, const void *b)
{
    const struct entry *one = a, *two = b;
    return one->name < two->name ? -1 : one->name > two->name;
}

static uint32_t find_root(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

/* The lower root becomes the root: the outcome does not depend on the order of joins. */
static void join(uint32_t *parent, uint32_t one, uint32_t two)
{
    one = find_root(parent, one);
    two = find_root(parent, two);
    parent[one > two ? one : two] = one < two ? one : two;
}

static void join_places(const struct scan *scan, struct entry *entries, uint32_t *parent)
{
    size_t count = 0;
    for (size_t i = 0; i < scan->total; i++) {
        if (isfinite(scan->keys[i].ra_deg) && isfinite(scan->keys[i].dec_deg))
            entries[count++] = (struct entry){.dec_deg = scan->keys[i].dec_deg, .stamp = (uint32_t)i};
    }
    if (count)
        qsort(entries, count, sizeof *entries, compare_places);
    for (size_t i = 0; i < count; i++) {
        const struct stamp_key *one = &scan->keys[entries[i].stamp];
        const double wide = cos(one->dec_deg * (M_PI / 180));
        for (size_t j = i + 1; j < count && entries[j].dec_deg - one->dec_deg <= SAME_PLACE_DEG; j++) {
            const double along = remainder(scan->keys[entries[j].stamp].ra_deg - one->ra_deg, 360) * wide,
                         up = entries[j].dec_deg - one->dec_deg;
            if (along * along + up * up <= SAME_PLACE_DEG * SAME_PLACE_DEG)
                join(parent, entries[i].stamp, entries[j].stamp);
        }
    }
}

static void join_names(const struct scan *scan, struct entry *entries, uint32_t *parent)
{
    size_t count = 0;
    for (size_t s = 0; s < scan->source_count; s++) {
        const struct source *source = &scan->sources[s];
        for (size_t i = source->first; i < source->first + source->count; i++) {
            const int64_t name[] = {(int64_t)source->brick, source->label, scan->keys[i].id};
            if (scan->keys[i].id != NO_ID)
                entries[count++] =
                    (struct entry){.name = XXH3_64bits(name, sizeof name), .stamp = (uint32_t)i};
        }
    }
    if (count)
        qsort(entries, count, sizeof *entries, compare_names);
    for (size_t i = 1; i < count; i++) {
        if (entries[i].name == entries[i - 1].name)
            join(parent, entries[i].stamp, entries[i - 1].stamp);
    }
}

/* parent becomes each stamp's object, numbered from 0 in the order of their first stamps. */
static size_t number_objects(uint32_t *parent, size_t total)
{
    size_t objects = 0;
    for (size_t i = 0; i < total; i++) /* a parent is lower than its child, and was done before it */
        parent[i] = parent[parent[i]];
    for (size_t i = 0; i < total; i++)
        parent[i] = parent[i] == i ? (uint32_t)objects++ : parent[parent[i]];
    return objects;
}

int parts_by_object(struct parts *parts, const struct scan *scan, const struct parts_rule *rule,
                    struct err *err)
{
    if (scan->total >= UINT32_MAX)
        return err_set(err, -EFBIG, "a split by object of %zu stamps: more than 2^32", scan->total);
    CLEANUP(free_ptr) struct entry *entries = calloc(scan->total + 1, sizeof *entries);
    CLEANUP(free_ptr) uint32_t *parent = calloc(scan->total + 1, sizeof *parent);
    CLEANUP(free_ptr) uint8_t *of_object = calloc(scan->total + 1, 1);
    if (!entries || !parent || !of_object)
        return err_set(err, -ENOMEM, "the objects of %zu stamps do not fit in memory", scan->total);
    for (size_t i = 0; i < scan->total; i++)
        parent[i] = (uint32_t)i;
    join_places(scan, entries, parent);
    join_names(scan, entries, parent);
    const size_t objects = number_objects(parent, scan->total);
    parts->group_noun = "objects";
    snprintf(parts->rule, sizeof parts->rule,
             "each object for itself (the original's rule): parts share bricks, and their stamps show the "
             "same sky");
    return parts_give_groups(parts, scan, rule, parent, objects, "object", of_object, err);
}
