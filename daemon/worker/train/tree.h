/* A sum over the leaves 0 .. count-1 (micro-batches), the same bits whatever number of ranks computed them.
 *
 * The tree is fixed by count alone: a node over [0, M) splits at the largest power of two below M, and is
 * left + right. Of R ranks, rank floor(i R / M) computes leaf i; the owner of a node is the owner of its
 * first leaf; a right child's owner sends its sum to the left child's; rank 0 owns the root and sends it to
 * all. float blocks are added in float32, statistics in float64, each in the tree's order. */
#ifndef DECOY_TRAIN_TREE_H
#define DECOY_TRAIN_TREE_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/worker/team.h"

struct tree;

/* Computes one leaf: overwrites block (block_count floats) and statistics (statistic_count doubles). */
typedef int tree_leaf(void *context, long leaf, float *block, double *statistics, struct err *err);

/* Called after each addition, with clock_monotonic_s times that include the waiting for another rank. */
typedef void tree_hook(void *context, double start_s, double end_s);

int tree_create(struct tree **out, struct team *team, size_t block_count, int statistic_count,
                struct err *err);
void tree_destroy(struct tree *tree);
CLEANUP_DEFINE(tree_destroy_ptr, struct tree, tree_destroy)

void tree_set_hook(struct tree *tree, tree_hook *hook, void *context);

/* Collective: all ranks call it with the same count. The sums are in *block and *statistics, the tree's,
 * until the next call. */
int tree_sum(struct tree *tree, long count, tree_leaf *leaf, void *context, const float **block,
             const double **statistics, struct err *err);

/* Which rank of `ranks` computes a leaf, and which leaves, first .. end-1, a rank computes. */
int tree_owner(long leaf, long count, int ranks);
void tree_share(int64_t count, int ranks, int rank, int64_t *first, int64_t *end);

#endif
