/* Memory that killed ranks leave on a host. Open MPI's ranks of a host meet in files of /dev/shm (4 MB and more a rank)
 * and remove them in MPI_Finalize, which a rank that was killed never comes to: a reservation of a week with a kill an
 * hour would lose gigabytes of memory. */
#ifndef DECOY_WORKER_SEGMENTS_H
#define DECOY_WORKER_SEGMENTS_H

#include <time.h>

/* Removes such files of this user's in the directory that are older than `age_s` and that no process has mapped; how many.
 * Who has mapped one goes on with its memory, in any case. */
int segments_sweep(const char *directory, time_t age_s);

#endif
