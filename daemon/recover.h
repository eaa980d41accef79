/* What is done once at start: the queue is read back, and what ran when the daemon died is ended and put
 * back. */
#ifndef DECOY_DAEMON_RECOVER_H
#define DECOY_DAEMON_RECOVER_H

#include "daemon/daemon.h"

/* Before the socket is bound. */
int recover_queue(struct daemon *daemon, struct err *err);

/* Looks whether the state directory is the one the queue was in before. Of a copy the original may live, with its
 * workers: a copy leaves them alone and starts drained. Before recover_runs. */
int recover_place(struct daemon *daemon, struct err *err);

/* Adopts the attempts of running jobs (act.h). */
int recover_runs(struct daemon *daemon, struct err *err);

#endif
