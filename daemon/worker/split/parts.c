/* See parts.h. Stamps are put into groups that must stay whole; assign.c gives groups to parts. */
#include "daemon/worker/split/parts.h"
#include "common/cleanup.h"
#include "daemon/worker/split/assign.h"
#include "daemon/worker/split/parts_private.h"
#include "daemon/worker/split/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void parts_free(struct parts *parts)
{
    free(parts->stamps);
    free(parts->bricks);
    parts->stamps = parts->bricks = NULL;
}

static int choose_by_brick(struct parts *parts, const struct scan *scan, const struct parts_rule *rule,
                           struct err *err)
{
    CLEANUP(free_ptr) size_t(*counts)[2] = calloc(scan->brick_count + 1, sizeof *counts);
    CLEANUP(free_ptr) uint8_t *of_brick = calloc(scan->brick_count + 1, 1);
    if (!counts || !of_brick)
        return err_set(err, -ENOMEM, "out of memory for %zu bricks", scan->brick_count);
    for (size_t s = 0; s < scan->source_count; s++)
        counts[scan->sources[s].brick][scan->sources[s].label] += scan->sources[s].count;
    int code = assign_groups((const size_t(*)[2])counts, scan->brick_count, "brick", rule->test, rule->valid,
                             rule->seed, of_brick, err);
    for (size_t s = 0; s < scan->source_count && !code; s++) {
        const struct source *source = &scan->sources[s];
        memset(parts->stamps + source->first, of_brick[source->brick], source->count);
    }
    snprintf(parts->rule, sizeof parts->rule,
             "whole bricks, all realisations and both classes of a brick in one part");
    return code;
}

int parts_give_groups(struct parts *parts, const struct scan *scan, const struct parts_rule *rule,
                      const uint32_t *group_of, size_t groups, const char *noun, uint8_t *of_group,
                      struct err *err)
{
    CLEANUP(free_ptr) size_t(*counts)[2] = calloc(groups + 1, sizeof *counts);
    if (!counts)
        return err_set(err, -ENOMEM, "out of memory for %zu %ss", groups, noun);
    for (size_t s = 0; s < scan->source_count; s++) {
        const struct source *source = &scan->sources[s];
        for (size_t i = source->first; i < source->first + source->count; i++)
            counts[group_of[i]][source->label]++;
    }
    int code = assign_groups((const size_t(*)[2])counts, groups, noun, rule->test, rule->valid, rule->seed,
                             of_group, err);
    for (size_t i = 0; i < scan->total && !code; i++)
        parts->stamps[i] = of_group[group_of[i]];
    for (size_t g = 0; g < groups && !code; g++)
        parts->groups[of_group[g]]++;
    return code;
}

static void note_bricks(struct parts *parts, const struct scan *scan)
{
    for (size_t s = 0; s < scan->source_count; s++) {
        const struct source *source = &scan->sources[s];
        for (size_t i = source->first; i < source->first + source->count; i++) {
            if (parts->stamps[i] != PART_NONE)
                parts->bricks[source->brick] |= (uint8_t)(1u << parts->stamps[i]);
        }
    }
}

int parts_choose(struct parts *parts, const struct scan *scan, const struct parts_rule *rule, struct err *err)
{
    *parts = (struct parts){.stamps = calloc(scan->total + 1, 1), .bricks = calloc(scan->brick_count + 1, 1)};
    int code = parts->stamps && parts->bricks
                   ? 0
                   : err_set(err, -ENOMEM, "the parts of %zu stamps do not fit in memory", scan->total);
    static int (*const CHOOSE[])(struct parts *, const struct scan *, const struct parts_rule *,
                                 struct err *) = {choose_by_brick, parts_by_cell, parts_by_object};
    if (!code)
        code = CHOOSE[rule->by](parts, scan, rule, err);
    if (!code)
        code = places_drop_copies(parts, scan, err);
    if (!code)
        note_bricks(parts, scan);
    return code;
}
