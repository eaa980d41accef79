/* The sign of life of a job's ranks, which decoyd ends an attempt without (daemon/hang.h). Once a second a thread of each
 * rank looks whether the main thread has used the processor since its last look, or whether any thread waits for a
 * disk (state D); only then it passes the sign on, to rank 0 by MPI, and rank 0's thread tells decoyd who was heard.
 * So a rank that is stopped, blocked for good or cut off is silent, and one that computes, or waits for the others, is
 * not, however long. What polls and finds nothing, for ever, is taken for alive. */
#ifndef DECOY_WORKER_PULSE_H
#define DECOY_WORKER_PULSE_H

#include "common/err.h"
#include "daemon/worker/link.h"
#include "daemon/worker/team.h"

struct pulse;

/* On every rank, by its main thread; without a daemon there is nobody to tell, and *out is NULL. */
int pulse_start(struct pulse **out, struct team *team, struct link *link, struct err *err);

/* To be called once all ranks have done their work, before link and team go. */
void pulse_stop(struct pulse *pulse);

#endif
