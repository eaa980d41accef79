/* What becomes of attempts, on record: started, could not be started, ended. */
#ifndef DECOY_DAEMON_ATTEMPT_H
#define DECOY_DAEMON_ATTEMPT_H

#include "daemon/daemon.h"
#include "daemon/run.h"

/* The child waits; its pid is in run->attempt. */
int attempt_record_start(struct daemon *daemon, struct run *run, struct err *err);

/* An attempt that could not even be started is an attempt that failed. */
int attempt_record_no_start(struct daemon *daemon, struct run *run, const struct err *why, struct err *err);

/* outcome is job_outcome's word on run->status. */
int attempt_record_end(struct daemon *daemon, struct run *run, enum job_event_name outcome, struct err *err);

#endif
