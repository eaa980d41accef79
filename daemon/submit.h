/* Submits that arrived and wait for their common transaction. */
#ifndef DECOY_DAEMON_SUBMIT_H
#define DECOY_DAEMON_SUBMIT_H

#include "daemon/daemon.h"
#include "proto/frame.h"

struct submits;

int submits_create(struct submits **out, struct err *err);
void submits_destroy(struct submits *submits); /* NULL is fine */

/* Takes the request's body. It is answered at the next flush, which comes at once when there are many. */
void submits_add(struct daemon *daemon, const struct peer *peer, struct request *request);

/* Commits and answers what waits: call it before anything else is done for a client, and before the loop sleeps. */
void submits_flush(struct daemon *daemon);

#endif
