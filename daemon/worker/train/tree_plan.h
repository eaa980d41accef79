/* Private to tree.c and its test: what one rank does for one sum, as a list. Buffers (slots) hold a block and its
 * statistics each; all that moves, moves in segments, and each segment goes down the list on its own. */
#ifndef DECOY_TRAIN_TREE_PLAN_H
#define DECOY_TRAIN_TREE_PLAN_H

#include "common/err.h"

enum tree_action {
    TREE_LEAF,    /* compute leaf `other` into slot */
    TREE_ADD,     /* slot += slot `other` */
    TREE_SEND,    /* slot to rank `other` */
    TREE_RECEIVE, /* slot from rank `other` */
    TREE_REDUCE,  /* MPI_Allreduce of slot, in place */
};

struct tree_op {
    enum tree_action action;
    int slot;
    long other;
};

struct tree_plan {
    struct tree_op *ops;
    int count, room;
    int last_leaf; /* its index in ops; -1: this rank has none. What comes before it needs no receiving */
    int slots;     /* how many buffers it takes */
    int result;    /* the slot that holds the sum at the end */
};

/* The fixed tree of tree.h, then a binomial broadcast from rank 0. */
int tree_plan_fixed(struct tree_plan *plan, long count, int ranks, int rank, struct err *err);

/* This rank's leaves one after the other, then an all-reduce. */
int tree_plan_allreduce(struct tree_plan *plan, long count, int ranks, int rank, struct err *err);

void tree_plan_clear(struct tree_plan *plan);

#endif
