/* One attempt writes to a training's directory: the last that began. An attempt that decoyd gave up for lost, its host cut off or
 * its rank hung, may still run where the directory is seen, and come round when the next one is under way. So rank 0 leaves a
 * mark of its own in <directory>/.attempt when it begins, and looks for it before it writes; what it is in the midst of
 * writing at the very moment when another begins is written still, aside and renamed as ever, or to a log that is nobody's any more. */
#ifndef DECOY_TRAIN_FENCE_H
#define DECOY_TRAIN_FENCE_H

#include "common/err.h"

enum { FENCE_MARK_SIZE = 33 };

struct fence {
    char *path; /* NULL: not raised */
    char mark[FENCE_MARK_SIZE];
};

int fence_raise(struct fence *fence, const char *directory, struct err *err);

/* -ESTALE and a sentence when another attempt has begun since. */
int fence_check(const struct fence *fence, struct err *err);

void fence_clear(struct fence *fence);

#endif
