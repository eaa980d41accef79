/* Forgetting jobs that have ended: their rows, events and attempts, and what their attempts logged. What they made
 * (their `out`) is the user's and stays. */
#ifndef DECOY_DAEMON_FORGET_H
#define DECOY_DAEMON_FORGET_H

#include "daemon/daemon.h"

struct forgetting;

int forgetting_create(struct forgetting **out, struct daemon *daemon, struct err *err);
void forgetting_start(struct forgetting *forgetting); /* does nothing without keep_days */
void forgetting_close(struct forgetting *forgetting); /* freed by its owner once the loop is closed */

/* The jobs, in one transaction. -EBUSY and a sentence for one that has not ended or that one which has not ended
 * comes after. */
int forget_jobs(struct daemon *daemon, const int64_t *ids, size_t count, struct err *err);

/* Those that ended before a time, a piece at a time; *count says how many. */
int forget_before(struct daemon *daemon, int64_t before_us, size_t *count, struct err *err);

#endif
