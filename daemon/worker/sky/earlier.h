/* What an earlier job left in an output directory of bricks. Whoever reads it takes all that lies there for
 * one survey, so nothing of another's may stay beside what is made now. */
#ifndef DECOY_SKY_EARLIER_H
#define DECOY_SKY_EARLIER_H

#include "daemon/worker/sky/survey.h"

#include <jansson.h>

/* -EEXIST when out holds a brick or run that is none of these, or when its bricks were made from other
 * parameters than made_from (brickwork.h). One receipt stands for all: every job checks before it writes. */
int earlier_check(const char *out, const struct brick *bricks, long count, const json_t *made_from,
                  struct err *err);

#endif
