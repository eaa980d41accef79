/* What a daemon is told at its start: decoyd's flags, else the environment (DECOY_SLOTS, DECOY_GRACE, ...), else
 * STATE/decoyd.yaml, else the defaults of proto/spec_table.h. */
#ifndef DECOY_DAEMON_CONFIG_H
#define DECOY_DAEMON_CONFIG_H

#include "common/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct config {
    int slots;        /* threads to keep busy; 0: the CPUs it may run on */
    double grace_s;   /* from SIGTERM to SIGKILL */
    double hang_after_s; /* a rank that is silent for longer hangs; 0: none does */
    char *hosts;      /* "h1:16,h2:16", the owner's to free; NULL: those of the allocation, or this one */
    bool srun;        /* starts the ranks; else mpirun */
    int64_t until_us;      /* the end of the allocation as told, 0: not told */
    double close_before_s; /* the queue closes this long before that end */
    double least_run_s;    /* a job is not started with less than this before the queue closes */
    double keep_days; /* what ended before is forgotten; 0: nothing */
    double log_limit_mib; /* of each file of output */
    char *listen;     /* "IFACE[:PORT]" to serve at by TCP, the owner's to free; NULL: no TCP */
    char *metrics_file; /* "/path/decoyd.prom", the owner's to free; NULL: none */
    double metrics_every_s;
};

/* flags: {field: value} of the command line. */
int config_read(struct config *config, const json_t *flags, const char *state, struct err *err);

#endif
