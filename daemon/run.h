/* One attempt of a job while it runs: what its worker reports. act.c owns it. */
#ifndef DECOY_DAEMON_RUN_H
#define DECOY_DAEMON_RUN_H

#include "daemon/curve.h"
#include "daemon/progress.h"
#include "daemon/queue.h"
#include "daemon/slots.h"
#include "daemon/spawn.h"
#include "daemon/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

struct acts;

struct run {
    struct acts *acts;
    struct run *next;
    struct job *job;
    struct attempt attempt;
    char *directory;
    struct progress *progress;
    json_t *metrics; /* last row, or NULL */
    struct curve curve;
    int notes; /* recorded so far */
    double *silent_s; /* of each rank of the placement: how long it has not been heard of (hang.h) */
    double stopped_s; /* how long its leader has been stopped */
    bool beating;     /* a rank has given a sign of life */
    bool heard; /* it has spoken: all its ranks have met in MPI_Init, and handle signals */
    uv_timer_t timer;
    double limit_s, kill_s; /* when its time is up, and when it is killed; monotonic, 0: never */
    bool told_mpirun;       /* SIGTERM went to mpirun itself */
    bool adopted;           /* of an earlier daemon: not our child */
    bool leader_gone;       /* reaped; what is left of its session is being ended */
    struct job_exit status; /* once leader_gone */
    struct placement placement;
    bool launched;      /* the leader is mpirun or srun */
    bool elsewhere;     /* ranks are not in the leader's session: on other hosts, or srun's */
    const char *lost;   /* the host that was lost with it, or NULL */
};

#endif
