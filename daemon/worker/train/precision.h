/* Private to train/: what convolutions multiply. */
#ifndef DECOY_TRAIN_PRECISION_H
#define DECOY_TRAIN_PRECISION_H

#include "common/err.h"
#include "daemon/worker/team.h"

/* asked: "f32", "bf16" or "auto", as of the field `precision`. *chosen is "f32" or "bf16", on all ranks the same: with
 * auto that of the newest checkpoint in `checkpoints`, for a run goes on in what it began with; else bf16 where the
 * processor of every rank has it. -EINVAL and a sentence where bf16 is called for and a processor has none. Collective. */
int precision_choose(const char **chosen, const char *asked, const char *checkpoints, struct team *team,
                     struct err *err);

#endif
