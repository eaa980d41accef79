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

/* Records why and asks the job's processes to stop; SIGKILL follows after the grace time. The reason may be
 * NULL. */
int acts_stop(struct acts *acts, struct job *job, enum job_stop stop, const char *reason, struct err *err);

/* The processes of an attempt that ran when the daemon died: ends them, then puts the job back. */
int acts_adopt(struct acts *acts, struct job *job, const struct attempt *attempt, struct err *err);

size_t acts_running(const struct acts *acts);

#endif
