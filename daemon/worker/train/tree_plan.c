/* See tree_plan.h. A slot is free again once it was added to another; one that was sent is not, since it may
 * still be under way when the next leaf is computed. */
#include "daemon/worker/train/tree_plan.h"
#include "daemon/worker/train/tree.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MAX = 256 }; /* two for each level of a tree of 2^63 leaves, and as many sent ones */

struct builder {
    struct tree_plan *plan;
    long count;
    int ranks, rank;
    bool taken[SLOTS_MAX];
};

static int take_slot(struct builder *builder)
{
    int slot = 0;
    while (builder->taken[slot])
        slot++;
    builder->taken[slot] = true;
    if (slot >= builder->plan->slots)
        builder->plan->slots = slot + 1;
    return slot;
}

static void emit(struct builder *builder, enum tree_action action, int slot, long other)
{
    struct tree_plan *plan = builder->plan;
    if (plan->count == plan->room) {
        plan->room = plan->room ? 2 * plan->room : 64;
        plan->ops = realloc(plan->ops, (size_t)plan->room * sizeof *plan->ops);
        if (!plan->ops)
            abort();
    }
    if (action == TREE_LEAF)
        plan->last_leaf = plan->count;
    plan->ops[plan->count++] = (struct tree_op){action, slot, other};
}

static void add(struct builder *builder, int slot, int other)
{
    emit(builder, TREE_ADD, slot, other);
    builder->taken[other] = false;
}

static long split_of(long first, long end)
{
    long half = 1;
    while (2 * half < end - first)
        half *= 2;
    return first + half;
}

/* The slot that holds the sum of leaves first .. end-1, on their first one's owner; -1 elsewhere. */
static int plan_node(struct builder *builder, long first, long end)
{
    int me = builder->rank, left = tree_owner(first, builder->count, builder->ranks);
    if (me < left || me > tree_owner(end - 1, builder->count, builder->ranks))
        return -1;
    if (end - first == 1) {
        int slot = take_slot(builder);
        emit(builder, TREE_LEAF, slot, first);
        return slot;
    }
    long middle = split_of(first, end);
    int right = tree_owner(middle, builder->count, builder->ranks);
    int slot = plan_node(builder, first, middle), other = plan_node(builder, middle, end);
    if (me == right && me != left)
        emit(builder, TREE_SEND, other, left);
    if (me == left && me != right) {
        other = take_slot(builder);
        emit(builder, TREE_RECEIVE, other, right);
    }
    if (me == left)
        add(builder, slot, other);
    return slot;
}

/* Rank r gets the sum from r without its lowest set bit, and hands it to r plus each power of two below that
 * bit, the largest first. */
static void plan_broadcast(struct builder *builder)
{
    int me = builder->rank, lowest = me ? me & -me : 1 << 30;
    if (me) {
        builder->plan->result = take_slot(builder);
        emit(builder, TREE_RECEIVE, builder->plan->result, me & (me - 1));
    }
    for (int step = lowest >> 1; step; step >>= 1) {
        if (me + step < builder->ranks)
            emit(builder, TREE_SEND, builder->plan->result, me + step);
    }
}

int tree_plan_fixed(struct tree_plan *plan, long count, int ranks, int rank, struct err *err)
{
    struct builder builder = {.plan = plan, .count = count, .ranks = ranks, .rank = rank};
    if (count < 1)
        return err_set(err, -EINVAL, "a sum of no leaves");
    *plan = (struct tree_plan){.last_leaf = -1};
    plan->result = plan_node(&builder, 0, count);
    plan_broadcast(&builder);
    return 0;
}

int tree_plan_allreduce(struct tree_plan *plan, long count, int ranks, int rank, struct err *err)
{
    struct builder builder = {.plan = plan, .count = count, .ranks = ranks, .rank = rank};
    int64_t first, end;
    if (count < 1)
        return err_set(err, -EINVAL, "a sum of no leaves");
    *plan = (struct tree_plan){.last_leaf = -1, .slots = 1};
    builder.taken[0] = true;
    tree_share(count, ranks, rank, &first, &end);
    for (int64_t leaf = first; leaf < end; leaf++) {
        int slot = leaf == first ? 0 : take_slot(&builder);
        emit(&builder, TREE_LEAF, slot, leaf);
        if (slot)
            add(&builder, 0, slot);
    }
    if (ranks > 1)
        emit(&builder, TREE_REDUCE, 0, 0);
    return 0;
}

void tree_plan_clear(struct tree_plan *plan)
{
    free(plan->ops);
    memset(plan, 0, sizeof *plan);
}
