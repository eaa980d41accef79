/* Slots: how many threads this daemon may keep busy. A job takes ranks x threads of them while it runs. */
#ifndef DECOY_DAEMON_SLOTS_H
#define DECOY_DAEMON_SLOTS_H

#include "common/err.h"
#include "proto/message.h"

#include <stdbool.h>

struct slots {
    int total, used;
};

/* total, or for 0 the number of CPUs this process may run on. */
int slots_init(struct slots *slots, int total, struct err *err);

long slots_needed(const struct job_row *row);

/* 0, or -EINVAL with a sentence when the job could never start here. */
int slots_check(const struct slots *slots, const struct job_row *row, struct err *err);

bool slots_take(struct slots *slots, const struct job_row *row); /* false: not free now */
void slots_give(struct slots *slots, const struct job_row *row);

#endif
