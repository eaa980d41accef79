/* Ends attempts that hang: those of which a rank has not been heard for --hang-after (daemon/worker/pulse.h; 60 s, 0: never),
 * or whose mpirun is stopped for that long. They have failed, and are tried again as such. Not counted is the time in
 * which decoyd itself was stopped, and nobody is ended of whom a debugger holds a process on this host. Until the first
 * word, which comes once all ranks have met in MPI_Init, ten times as long is given; a job whose first rank is on
 * another host has no line to decoyd (DECOY_ENDPOINT), and only its mpirun is looked at. */
#ifndef DECOY_DAEMON_HANG_H
#define DECOY_DAEMON_HANG_H

#include "daemon/daemon.h"
#include "daemon/run.h"

struct hangs;

int hangs_create(struct hangs **out, struct daemon *daemon, struct err *err);
void hangs_wake(struct hangs *hangs);  /* a job has started */
void hangs_close(struct hangs *hangs); /* freed by its owner once the loop is closed */

/* A rank of the run, 0 .. its ranks - 1, has given a sign of life. */
void hangs_heard(const struct hangs *hangs, struct run *run, int rank);

#endif
