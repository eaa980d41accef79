/* Survey bricks made over all ranks, each in a confined child (bricks.h): those with a good receipt
 * (<out>/receipts/<AAA>/<brick>[-<run>].json) passed over, those that fail set aside in <out>/quarantine.json
 * with the reason, the others going on. */
#ifndef DECOY_SKY_BRICKWORK_H
#define DECOY_SKY_BRICKWORK_H

#include "daemon/worker/bricks.h"
#include "daemon/worker/sky/survey.h"

enum { BRICKWORK_COUNTS = 6 };

/* What doing a brick leaves: its files and how many of each thing it holds. */
struct brick_yield {
    struct file_list files;
    double counts[BRICKWORK_COUNTS];
};

struct brickwork {
    const char *out;
    const char *survey; /* directory of the inputs; NULL when there are none */
    const struct brick *bricks;
    long count;
    double max_bad, limit_s;  /* as in bricks.h */
    json_t *made_from;        /* what every brick's files are a function of, besides its inputs */
    const char *const *names; /* of the counts, NULL-ended, at most BRICKWORK_COUNTS */
    void *context;
    /* Files that the brick is made from; NULL when there are none. */
    int (*inputs)(void *context, const struct brick *brick, struct file_list *list, struct err *err);
    int (*make)(void *context, const struct brick *brick, struct brick_yield *yield, struct err *err);
};

/* The six planes of a brick: those written under directory, or those found in survey. */
int list_planes(struct file_list *list, const char *directory, const struct brick *brick, struct err *err);
int list_survey_planes(struct file_list *list, const struct survey *survey, const struct brick *brick,
                       struct err *err);

/* Collective. -EEXIST when out holds what another survey or other parameters left (earlier.h); else as
 * bricks_run. result (a new reference, on rank 0, NULL elsewhere): {"bricks", "made", "kept", "quarantined", and
 * the counts}. */
int brickwork_run(const struct brickwork *work, struct job *job, json_t **result, struct err *err);

#endif
