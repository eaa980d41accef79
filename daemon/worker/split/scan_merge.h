/* The scan grows by one file after another, in their order: for scan.c alone. */
#ifndef DECOY_SPLIT_SCAN_MERGE_H
#define DECOY_SPLIT_SCAN_MERGE_H

#include "daemon/worker/split/scan.h"

#define NO_SOURCE SIZE_MAX

struct scan_file {
    char *path;      /* the source's, once there is one */
    int label, rank; /* rank: who looked at it; -1: nobody */
    json_t *kind;    /* look.h; borrowed */
    const char *brick;
    size_t count;
    size_t source; /* where it is in the scan, or NO_SOURCE */
};

/* scan->sources has room for it. */
int scan_merge(struct scan *scan, struct scan_file *file, struct err *err);

#endif
