/* The end of the allocation that decoyd runs in: found out once, at its start (--until, else SLURM_JOB_END_TIME, else one
 * question to squeue where there is a SLURM_JOB_ID). --close-before it, or at once on SIGUSR1 (what a batch script hands on from
 * `sbatch --signal=B:USR1@...`), the queue closes: running jobs are asked to save themselves and stop, go back into the
 * queue, and decoyd ends with 0. The next one goes on. */
#ifndef DECOY_DAEMON_DEADLINE_H
#define DECOY_DAEMON_DEADLINE_H

#include "daemon/daemon.h"

struct deadline;

/* Reads the end, and starts the clock. */
int deadline_create(struct deadline **out, struct daemon *daemon, struct err *err);
void deadline_close(struct deadline *deadline); /* its handles close with the loop; free() it after that */

int64_t deadline_end_us(const struct deadline *deadline);    /* 0: none is known */
int64_t deadline_closes_us(const struct deadline *deadline); /* likewise */

/* Seconds until the queue closes; infinite where no end is known. */
double deadline_left_s(const struct deadline *deadline);

#endif
