/* Work done brick by brick over all ranks: each brick claimed by one rank and done in a confined child
 * (child.h), so that a brick whose files kill the reader costs itself alone. Bricks that fail are set aside in
 * <out>/quarantine.json with the reason, and the others go on. */
#ifndef DECOY_WORKER_BRICKS_H
#define DECOY_WORKER_BRICKS_H

#include "daemon/worker/confine.h"
#include "daemon/worker/job.h"

enum { BRICK_FILES = 48 };

/* Files of a brick, in fresh memory; at most BRICK_FILES, others are not kept. */
struct file_list {
    char *items[BRICK_FILES];
    size_t count;
};

void file_list_add(struct file_list *list, char *path); /* takes the path; NULL is passed over */
void file_list_free(struct file_list *list);

struct bricks {
    const char *out;
    const char *inputs[4]; /* directories that all bricks may read in, NULL-ended */
    long count;            /* bricks are numbered from 0, and claimed in this order */
    double max_bad;        /* the fraction of bricks that may fail before the job does */
    double limit_s;        /* time that a brick may take */
    void *context;
    /* {"brick", "run"} and what else tells it from others: a new reference. */
    json_t *(*name)(void *context, long index);
    /* Files that it is read from: links among them may lead out of the inputs. NULL: none. Opens no file. */
    int (*files)(void *context, long index, struct file_list *list, struct err *err);
    /* In the child, without link and team. *report: a new reference. *fatal: the output or the machine is at
     * fault. */
    int (*make)(void *context, long index, json_t **report, bool *fatal, struct err *err);
    /* In the rank, with the report of a brick that was done; it may take things out. NULL: nothing to do. */
    void (*done)(void *context, json_t *report);
};

/* Collective. On rank 0 *reports is a new reference, NULL elsewhere: of every brick its name with either what
 * its report says or {"reason"}, in the order of class, brick and run. Errors: the first fatal one; -ENODATA,
 * more than max_bad of the bricks failed, or all; -ECANCELED, stopped as asked. */
int bricks_run(const struct bricks *bricks, struct job *job, json_t **reports, struct err *err);

#endif
