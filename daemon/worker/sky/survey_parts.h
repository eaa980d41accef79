/* What survey.c (where files lie) and survey_scan.c (which bricks there are) share. Private to both. */
#ifndef DECOY_SKY_SURVEY_PARTS_H
#define DECOY_SKY_SURVEY_PARTS_H

#include "daemon/worker/sky/survey.h"

enum { GROUP_LENGTH = GROUP_NAME_MAX - 1 };

struct survey {
    char *directory;
    bool runs_on_top; /* legacysim's layout */
    char (*runs)[RUN_NAME_MAX]; /* of it, sorted */
    size_t run_count;
    struct brick *bricks;
    size_t count, room;
};

/* Fills runs_on_top and runs; a directory that is no survey is an error. */
int survey_find_layout(struct survey *survey, struct err *err);

#endif
