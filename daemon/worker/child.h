/* A piece of work in a forked and confined process, so that an input which kills the reader costs that piece
 * and not the job. Fit for a rank of Open MPI: the child calls no MPI and no ZeroMQ, and ends by _exit. */
#ifndef DECOY_WORKER_CHILD_H
#define DECOY_WORKER_CHILD_H

#include "common/err.h"
#include "daemon/worker/confine.h"

#include <stdbool.h>

/* What the work brings home: bytes, in fresh memory. fatal: a failure is the machine's or the output's fault and
 * not the input's, so that the next piece would meet it, too. */
struct child_yield {
    void *data;
    size_t size;
    bool fatal;
};

typedef int child_work(void *context, struct child_yield *yield, struct err *err);

/* Does work(context) in a child that may do what `may` says for limit_s seconds by the clock. The yield is as if
 * the work had been done here; its data are followed by a NUL and are the caller's to free.
 * Errors: those of the work; -ECHILD, the child died (the sentence names the signal) or said nothing;
 * -ETIMEDOUT, it took too long. A work's own -ENOMEM is not fatal, for the bound that it met is its own. */
int child_run(const struct confinement *may, double limit_s, child_work *work, void *context,
              struct child_yield *yield, struct err *err);

/* Bytes of memory that each of `sharers` processes of this machine may take. */
size_t child_memory(int sharers);

#endif
