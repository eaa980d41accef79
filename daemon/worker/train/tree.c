/* See tree.h. The list of what this rank does (tree_plan.h) is gone through twice over: up to its last leaf all
 * segments together, from there on each by itself, as far as what it needs has come. Segment 0 is the statistics;
 * the others are those of the block from its end to its beginning, in the order in which they get ready. */
#include "daemon/worker/train/tree.h"
#include "common/clock.h"
#include "daemon/worker/train/tree_plan.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

const char *const TREE_WAYS[TREE_WAY_MAX] = {"tree", "allreduce"};

#define SEGMENT_MOST ((size_t)1 << 26) /* floats: a message stays below MPI's 2 GiB */

/* A part of every slot, and how far it is in the list. */
struct segment {
    size_t offset, count; /* floats of the block; of segment 0, doubles of the statistics */
    bool ready;
    int at;                      /* the op to be done next */
    struct team_request request; /* of the op at `at`, when it was begun */
    bool begun;
};

struct tree {
    struct team *team;
    enum tree_way way;
    size_t block_count;
    int statistic_count;
    struct segment *segments;
    int segment_count;
    struct tree_plan plan;
    long planned; /* the count that the plan is for */
    char **slots;
    struct team_request *sends;
    int send_count;
    bool last_leaf; /* is being computed */
    tree_hook *hook;
    void *hook_context;
};

/* From the end of the block to its beginning; a short one is joined to the one before it in the block. */
static void cut_block(struct tree *tree, const struct tree_options *options)
{
    size_t end = options->block_count;
    tree->segments[0] = (struct segment){.count = (size_t)options->statistic_count};
    tree->segment_count = 1;
    for (int i = options->starts ? options->segments - 1 : 0; i >= 0 && end > 0; i--) {
        size_t start = options->starts ? options->starts[i] : 0;
        if (start > 0 && end - start < TREE_SEGMENT_LEAST)
            continue;
        while (end > start) {
            size_t count = end - start < SEGMENT_MOST ? end - start : SEGMENT_MOST;
            end -= count;
            tree->segments[tree->segment_count++] = (struct segment){.offset = end, .count = count};
        }
    }
}

int tree_create(struct tree **out, struct team *team, const struct tree_options *options, struct err *err)
{
    CLEANUP(tree_destroy_ptr) struct tree *tree = calloc(1, sizeof *tree);
    size_t most = (size_t)options->segments + options->block_count / SEGMENT_MOST + 3;
    if (!tree)
        return err_set(err, -ENOMEM, "out of memory");
    tree->team = team;
    tree->way = options->way;
    tree->block_count = options->block_count;
    tree->statistic_count = options->statistic_count;
    tree->segments = calloc(most, sizeof *tree->segments);
    if (!tree->segments)
        return err_set(err, -ENOMEM, "out of memory");
    cut_block(tree, options);
    *out = TAKE(tree);
    return 0;
}

static void forget_plan(struct tree *tree)
{
    for (int i = 0; tree->slots && i < tree->plan.slots; i++)
        free(tree->slots[i]);
    free(tree->slots);
    free(tree->sends);
    tree->slots = NULL;
    tree->sends = NULL;
    tree->planned = 0;
    tree_plan_clear(&tree->plan);
}

void tree_destroy(struct tree *tree)
{
    if (!tree)
        return;
    forget_plan(tree);
    free(tree->segments);
    free(tree);
}

void tree_set_hook(struct tree *tree, tree_hook *hook, void *context)
{
    tree->hook = hook;
    tree->hook_context = context;
}

int tree_owner(long leaf, long count, int ranks)
{
    return (int)(leaf * ranks / count);
}

void tree_share(int64_t count, int ranks, int rank, int64_t *first, int64_t *end)
{
    *first = (rank * count + ranks - 1) / ranks;
    *end = ((rank + 1) * count + ranks - 1) / ranks;
}

/* A slot is the statistics, then the block. */
static double *statistics_of(const struct tree *tree, int slot)
{
    return (double *)(void *)tree->slots[slot];
}

static float *block_of(const struct tree *tree, int slot)
{
    return (float *)(statistics_of(tree, slot) + tree->statistic_count);
}

static int make_plan(struct tree *tree, long count, struct err *err)
{
    int ranks = team_size(tree->team), me = team_rank(tree->team), sends = 0;
    size_t bytes = (size_t)tree->statistic_count * sizeof(double) + tree->block_count * sizeof(float);
    if (tree->planned == count)
        return 0;
    forget_plan(tree);
    int code = tree->way == TREE_FIXED ? tree_plan_fixed(&tree->plan, count, ranks, me, err)
                                       : tree_plan_allreduce(&tree->plan, count, ranks, me, err);
    if (code)
        return code;
    for (int i = 0; i < tree->plan.count; i++)
        sends += tree->plan.ops[i].action == TREE_SEND;
    tree->slots = calloc((size_t)tree->plan.slots, sizeof *tree->slots);
    tree->sends = calloc((size_t)(sends * tree->segment_count) + 1, sizeof *tree->sends);
    code = tree->slots && tree->sends ? 0 : -ENOMEM;
    for (int i = 0; i < tree->plan.slots && !code; i++) {
        tree->slots[i] = calloc(1, bytes);
        code = tree->slots[i] ? 0 : -ENOMEM;
    }
    if (code)
        return err_set(err, code, "out of memory for a sum of %zu gradients", tree->block_count);
    tree->planned = count;
    return 0;
}

static void *segment_data(const struct tree *tree, int s, int slot, size_t *bytes)
{
    const struct segment *segment = &tree->segments[s];
    *bytes = segment->count * (s ? sizeof(float) : sizeof(double));
    return s ? (void *)(block_of(tree, slot) + segment->offset) : (void *)statistics_of(tree, slot);
}

static void add_segment(const struct tree *tree, int s, int slot, int other)
{
    size_t count = tree->segments[s].count, bytes;
    if (s == 0) {
        double *sums = statistics_of(tree, slot), *terms = statistics_of(tree, other);
        for (size_t i = 0; i < count; i++)
            sums[i] += terms[i];
        return;
    }
    float *restrict sums = segment_data(tree, s, slot, &bytes);
    const float *restrict terms = segment_data(tree, s, other, &bytes);
    for (size_t i = 0; i < count; i++)
        sums[i] += terms[i];
}

static void begin_transfer(struct tree *tree, int s, const struct tree_op *op, struct team_request *request)
{
    size_t bytes;
    void *data = segment_data(tree, s, op->slot, &bytes);
    if (op->action == TREE_SEND)
        team_start_send(tree->team, data, bytes, (int)op->other, s, request);
    else if (op->action == TREE_RECEIVE)
        team_start_receive(tree->team, data, bytes, (int)op->other, s, request);
    else if (s == 0)
        team_start_sum_doubles(tree->team, data, (int)tree->segments[s].count, request);
    else
        team_start_sum_floats(tree->team, data, (int)tree->segments[s].count, request);
}

/* Takes a segment as far down the list as it can go; what was sent need not have arrived. */
static void advance(struct tree *tree, int s)
{
    struct segment *segment = &tree->segments[s];
    for (; segment->at < tree->plan.count; segment->at++) {
        const struct tree_op *op = &tree->plan.ops[segment->at];
        if (op->action == TREE_ADD) {
            add_segment(tree, s, op->slot, (int)op->other);
        } else if (op->action == TREE_SEND) {
            begin_transfer(tree, s, op, &tree->sends[tree->send_count++]);
        } else {
            if (!segment->begun)
                begin_transfer(tree, s, op, &segment->request);
            segment->begun = !team_test(&segment->request);
            if (segment->begun)
                return;
        }
    }
}

static void advance_all(struct tree *tree)
{
    double start_s = clock_monotonic_s();
    for (int s = 0; s < tree->segment_count && tree->segments[s].ready; s++)
        advance(tree, s);
    if (tree->hook && team_size(tree->team) > 1)
        tree->hook(tree->hook_context, start_s, clock_monotonic_s());
}

void tree_ready(struct tree *tree, size_t offset)
{
    bool more = false;
    if (!tree->last_leaf)
        return;
    for (int s = 0; s < tree->segment_count; s++) {
        struct segment *segment = &tree->segments[s];
        if (segment->ready || (s && segment->offset < offset))
            continue;
        segment->ready = more = true;
    }
    if (more)
        advance_all(tree);
}

/* What comes before the last leaf, and it: nothing of that waits for another rank. */
static int compute_leaves(struct tree *tree, tree_leaf *leaf, void *context, struct err *err)
{
    int code = 0;
    for (int i = 0; i <= tree->plan.last_leaf && !code; i++) {
        const struct tree_op *op = &tree->plan.ops[i];
        if (op->action == TREE_LEAF) {
            tree->last_leaf = i == tree->plan.last_leaf;
            code = leaf(context, op->other, block_of(tree, op->slot), statistics_of(tree, op->slot), err);
            continue;
        }
        for (int s = 0; s < tree->segment_count; s++) {
            if (op->action == TREE_ADD)
                add_segment(tree, s, op->slot, (int)op->other);
            else
                begin_transfer(tree, s, op, &tree->sends[tree->send_count++]);
        }
    }
    return code;
}

/* Until each segment is at the end of the list, and what was sent has gone. While there is nothing to do, others
 * may have the core. */
static void finish(struct tree *tree)
{
    double start_s = clock_monotonic_s();
    for (int open = tree->segment_count; open;) {
        open = 0;
        for (int s = 0; s < tree->segment_count; s++) {
            advance(tree, s);
            open += tree->segments[s].at < tree->plan.count;
        }
        if (open)
            sched_yield();
    }
    for (int i = 0; i < tree->send_count; i++)
        team_wait(&tree->sends[i]);
    if (tree->hook)
        tree->hook(tree->hook_context, start_s, clock_monotonic_s());
}

int tree_sum(struct tree *tree, long count, tree_leaf *leaf, void *context, const float **block,
             const double **statistics, struct err *err)
{
    int code = make_plan(tree, count, err);
    if (code)
        return code;
    tree->send_count = 0;
    for (int s = 0; s < tree->segment_count; s++) {
        tree->segments[s].ready = tree->segments[s].begun = false;
        tree->segments[s].at = tree->plan.last_leaf + 1;
    }
    if (tree->plan.last_leaf < 0 && tree->way == TREE_ALLREDUCE) /* what a rank without leaves adds */
        memset(tree->slots[0], 0,
               (size_t)tree->statistic_count * sizeof(double) + tree->block_count * sizeof(float));
    code = compute_leaves(tree, leaf, context, err);
    if (code)
        return code;
    tree_ready(tree, 0);
    tree->last_leaf = false;
    finish(tree);
    *block = block_of(tree, tree->plan.result);
    *statistics = statistics_of(tree, tree->plan.result);
    return 0;
}
