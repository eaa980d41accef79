/* Parts by objects (parts.h): stamps are joined that stand at one place, or have one id in one brick and class;
 * what is joined is one object. */
#include "common/cleanup.h"
#include "daemon/worker/split/parts_private.h"

#include <errno.h>
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* A stamp and what it is sorted by. */
struct entry {
    uint64_t name;
    uint32_t stamp;
};

static int compare_names(const void *a, const void *b)
{
    const struct entry *one = a, *two = b;
    return one->name < two->name ? -1 : one->name > two->name;
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
            places_join(parent, entries[i].stamp, entries[i - 1].stamp);
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
    CLEANUP(free_ptr) struct entry *entries = calloc(scan->total + 1, sizeof *entries);
    CLEANUP(free_ptr) uint32_t *parent = calloc(scan->total + 1, sizeof *parent);
    CLEANUP(free_ptr) uint8_t *of_object = calloc(scan->total + 1, 1);
    if (!entries || !parent || !of_object)
        return err_set(err, -ENOMEM, "the objects of %zu stamps do not fit in memory", scan->total);
    int code = places_group(scan, parent, err);
    if (code)
        return code;
    join_names(scan, entries, parent);
    const size_t objects = number_objects(parent, scan->total);
    parts->group_noun = "objects";
    snprintf(parts->rule, sizeof parts->rule,
             "each object for itself (the original's rule): parts share bricks, and their stamps show the "
             "same sky");
    return parts_give_groups(parts, scan, rule, parent, objects, "object", of_object, err);
}
