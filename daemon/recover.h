/* What is done once at start: the queue is read back, and what ran when the daemon died is ended and put
 * back. */
#ifndef DECOY_DAEMON_RECOVER_H
#define DECOY_DAEMON_RECOVER_H

#include "daemon/daemon.h"

/* Before the socket is bound. */
int recover_queue(struct daemon *daemon, struct err *err);

/* Adopts the attempts of running jobs (act.h). */
int recover_runs(struct daemon *daemon, struct err *err);

#endif
