/* Work done brick by brick over all ranks: each brick claimed by one rank, those with a good receipt
 * (<out>/receipts/<AAA>/<brick>[-<run>].json) passed over, those that fail set aside in <out>/quarantine.json
 * with the reason, the others going on. */
#ifndef DECOY_SKY_BRICKWORK_H
#define DECOY_SKY_BRICKWORK_H

#include "daemon/worker/job.h"
#include "daemon/worker/sky/survey.h"

enum { BRICKWORK_COUNTS = 6, BRICKWORK_FILES = 16 };

/* What doing a brick leaves: its files (fresh memory) and how many of each thing it holds. */
struct brick_yield {
    char *files[BRICKWORK_FILES];
    size_t file_count;
    double counts[BRICKWORK_COUNTS];
};

struct brickwork {
    const char *out;
    const struct brick *bricks;
    long count;
    json_t *made_from;        /* what every brick's files are a function of, besides its inputs */
    const char *const *names; /* of the counts, NULL-ended, at most BRICKWORK_COUNTS */
    void *context;
    /* Files that the brick is made from, into yield; NULL when there are none. */
    int (*inputs)(void *context, const struct brick *brick, struct brick_yield *yield, struct err *err);
    int (*make)(void *context, const struct brick *brick, struct brick_yield *yield, struct err *err);
};

/* Takes the path. */
void yield_add_file(struct brick_yield *yield, char *path);

/* The six planes of a brick: those written under directory, or those found in survey. */
int yield_add_planes(struct brick_yield *yield, const char *directory, const struct brick *brick,
                     struct err *err);
int yield_add_survey_planes(struct brick_yield *yield, const struct survey *survey, const struct brick *brick,
                            struct err *err);

/* Collective. -EEXIST when out holds what another survey or other parameters left (earlier.h). result (a new reference, on rank 0, NULL elsewhere): {"bricks", "made", "kept", "quarantined",
 * and the counts}. An error of one brick's input is no error here, unless no brick is left; a full disk, say,
 * is. -ECANCELED: stopped. */
int brickwork_run(const struct brickwork *work, struct job *job, json_t **result, struct err *err);

#endif
