/* What jobs do: starts those whose turn it is, watches their processes, asks them to stop, and records how
 * they ended. An attempt from before a restart is adopted only to be ended. */
#ifndef DECOY_DAEMON_ACT_H
#define DECOY_DAEMON_ACT_H

#include "daemon/daemon.h"
#include "daemon/run.h"

#include <jansson.h>

struct acts;

int acts_create(struct acts **out, struct daemon *daemon, struct err *err);
void acts_close(struct acts *acts);   /* its handles close with the loop; running children are sent SIGTERM */
void acts_destroy(struct acts *acts); /* once the loop is closed */

/* Starts what can start, once what is being done now is done and answered. Call it after any change. */
void acts_schedule(struct acts *acts);

/* Records why and asks the job's processes to stop; the grace time later SIGTERM goes to mpirun too, and then, or
 * two seconds after that, SIGKILL to all that is left. The reason may be NULL. */
int acts_stop(struct acts *acts, struct job *job, enum job_stop stop, const char *reason, struct err *err);

/* Asks the ranks of a running job for a checkpoint, and records that; *asked is how many of them were ready for
 * such a signal (0: nothing is recorded). */
int acts_checkpoint(struct acts *acts, struct job *job, int *asked, struct err *err);

/* The processes of an attempt that ran when the daemon died: ends them, then puts the job back. */
int acts_adopt(struct acts *acts, struct job *job, const struct attempt *attempt, struct err *err);

size_t acts_running(const struct acts *acts);
struct run *acts_first(const struct acts *acts); /* of those that run, each with its next; NULL: none */

#endif
