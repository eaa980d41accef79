/* A sum over the leaves 0 .. count-1 (micro-batches), on every rank, while the last of them are still being
 * computed.
 *
 * TREE_FIXED gives the same bits whatever number of ranks computed the leaves. The tree is fixed by count alone: a
 * node over [0, M) splits at the largest power of two below M, and is left + right. Of R ranks, rank
 * floor(i R / M) computes leaf i; the owner of a node is the owner of its first leaf; a right child's owner sends
 * its sum to the left child's; rank 0 owns the root, from which the sum goes to all (binomially). float blocks are
 * added in float32, statistics in float64, each in the tree's order.
 *
 * TREE_ALLREDUCE adds up a rank's leaves in their order and leaves the rest to MPI_Allreduce: its bits depend on
 * the number of ranks and on the MPI library.
 *
 * A block moves in segments (about a layer each): one that is whole (tree_ready) is under way while those before
 * it in the block are being computed. */
#ifndef DECOY_TRAIN_TREE_H
#define DECOY_TRAIN_TREE_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/worker/team.h"

struct tree;

enum tree_way { TREE_FIXED, TREE_ALLREDUCE, TREE_WAY_MAX };

extern const char *const TREE_WAYS[TREE_WAY_MAX]; /* "tree", "allreduce" */

/* Computes one leaf: overwrites block (block_count floats) and statistics (statistic_count doubles), these before
 * it first calls tree_ready, which it may. */
typedef int tree_leaf(void *context, long leaf, float *block, double *statistics, struct err *err);

/* Called after each spell of adding, sending or waiting, with clock_monotonic_s times. */
typedef void tree_hook(void *context, double start_s, double end_s);

/* The block's segments begin at starts[0] = 0 < starts[1] < ... < starts[segments - 1]; NULL: one segment. Ones of
 * less than TREE_SEGMENT_LEAST floats are joined to the one before them. */
enum { TREE_SEGMENT_LEAST = 16384 };
struct tree_options {
    enum tree_way way;
    size_t block_count;
    const size_t *starts;
    int segments;
    int statistic_count; /* at least 1 */
};

int tree_create(struct tree **out, struct team *team, const struct tree_options *options, struct err *err);
void tree_destroy(struct tree *tree);
CLEANUP_DEFINE(tree_destroy_ptr, struct tree, tree_destroy)

void tree_set_hook(struct tree *tree, tree_hook *hook, void *context);

/* Collective: all ranks call it with the same count. The sums are in *block and *statistics, the tree's,
 * until the next call. */
int tree_sum(struct tree *tree, long count, tree_leaf *leaf, void *context, const float **block,
             const double **statistics, struct err *err);

/* Within a leaf: floats offset .. of its block up to what was told before (at first its end) will not change any
 * more. */
void tree_ready(struct tree *tree, size_t offset);

/* Which rank of `ranks` computes a leaf, and which leaves, first .. end-1, a rank computes. */
int tree_owner(long leaf, long count, int ranks);
void tree_share(int64_t count, int ranks, int rank, int64_t *first, int64_t *end);

#endif
