/* See tree.h. A partial sum is one buffer, statistics first, so that it travels as one message. Depth d of
 * the recursion sums into buffer d; one more receives. */
#include "daemon/worker/train/tree.h"
#include "common/clock.h"

#include <errno.h>
#include <string.h>

enum { DEPTH_MAX = 40 };

struct tree {
    struct team *team;
    size_t block_count, bytes;
    int statistic_count;
    void *buffers[DEPTH_MAX]; /* made when first needed */
    void *received;
    tree_hook *hook;
    void *hook_context;
};

/* One tree_sum under way. */
struct sum {
    struct tree *tree;
    long count;
    tree_leaf *leaf;
    void *context;
};

int tree_create(struct tree **out, struct team *team, size_t block_count, int statistic_count,
                struct err *err)
{
    struct tree *tree = calloc(1, sizeof *tree);
    if (!tree)
        return err_set(err, -ENOMEM, "out of memory");
    tree->team = team;
    tree->block_count = block_count;
    tree->statistic_count = statistic_count;
    tree->bytes = (size_t)statistic_count * sizeof(double) + block_count * sizeof(float);
    *out = tree;
    return 0;
}

void tree_destroy(struct tree *tree)
{
    if (!tree)
        return;
    for (int i = 0; i < DEPTH_MAX; i++)
        free(tree->buffers[i]);
    free(tree->received);
    free(tree);
}

void tree_set_hook(struct tree *tree, tree_hook *hook, void *context)
{
    tree->hook = hook;
    tree->hook_context = context;
}

static int need_buffer(const struct tree *tree, void **buffer, struct err *err)
{
    if (!*buffer)
        *buffer = calloc(1, tree->bytes);
    return *buffer ? 0 : err_set(err, -ENOMEM, "out of memory for a sum of %zu gradients", tree->block_count);
}

static double *statistics_of(void *buffer)
{
    return buffer;
}

static float *block_of(const struct tree *tree, void *buffer)
{
    return (float *)(statistics_of(buffer) + tree->statistic_count);
}

static void add(const struct tree *tree, void *into, void *from)
{
    double *sums = statistics_of(into), *terms = statistics_of(from);
    float *restrict block = block_of(tree, into), *restrict other = block_of(tree, from);
    for (int i = 0; i < tree->statistic_count; i++)
        sums[i] += terms[i];
    for (size_t i = 0; i < tree->block_count; i++)
        block[i] += other[i];
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

static long split_of(long first, long end)
{
    long half = 1;
    while (2 * half < end - first)
        half *= 2;
    return first + half;
}

/* Brings the right child's sum to the left child's owner, and adds. Other ranks have nothing to do. */
static int join(struct sum *sum, int left, int right, int depth, struct err *err)
{
    struct tree *tree = sum->tree;
    int me = team_rank(tree->team);
    double start_s = clock_monotonic_s();
    if (me != left && me == right)
        team_send(tree->team, tree->buffers[depth + 1], tree->bytes, left);
    if (me != left)
        return 0;
    if (left != right) {
        int code = need_buffer(tree, &tree->received, err);
        if (code)
            return code;
        team_receive(tree->team, tree->received, tree->bytes, right);
    }
    add(tree, tree->buffers[depth], left == right ? tree->buffers[depth + 1] : tree->received);
    if (tree->hook)
        tree->hook(tree->hook_context, start_s, clock_monotonic_s());
    return 0;
}

static int sum_node(struct sum *sum, long first, long end, int depth, struct err *err)
{
    struct tree *tree = sum->tree;
    int ranks = team_size(tree->team), me = team_rank(tree->team);
    int left = tree_owner(first, sum->count, ranks);
    if (me < left || me > tree_owner(end - 1, sum->count, ranks))
        return 0;
    if (end - first == 1) {
        int code = need_buffer(tree, &tree->buffers[depth], err);
        void *buffer = tree->buffers[depth];
        return code ? code
                    : sum->leaf(sum->context, first, block_of(tree, buffer), statistics_of(buffer), err);
    }
    long middle = split_of(first, end);
    int code = sum_node(sum, first, middle, depth, err);
    if (!code)
        code = sum_node(sum, middle, end, depth + 1, err);
    return code ? code : join(sum, left, tree_owner(middle, sum->count, ranks), depth, err);
}

int tree_sum(struct tree *tree, long count, tree_leaf *leaf, void *context, const float **block,
             const double **statistics, struct err *err)
{
    struct sum sum = {tree, count, leaf, context};
    int code = need_buffer(tree, &tree->buffers[0], err);
    if (!code)
        code = sum_node(&sum, 0, count, 0, err);
    if (code)
        return code;
    double start_s = clock_monotonic_s();
    team_broadcast(tree->team, tree->buffers[0], tree->bytes, 0);
    if (tree->hook && team_size(tree->team) > 1)
        tree->hook(tree->hook_context, start_s, clock_monotonic_s());
    *block = block_of(tree, tree->buffers[0]);
    *statistics = statistics_of(tree->buffers[0]);
    return 0;
}
