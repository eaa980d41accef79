/* Which hosts this daemon may use, and which it has lost. --hosts, else those of the Slurm allocation it runs in
 * (SLURM_JOB_NODELIST, SLURM_JOB_CPUS_PER_NODE: sbatch(1), "OUTPUT ENVIRONMENT VARIABLES"), else its own alone. */
#ifndef DECOY_DAEMON_HOSTS_H
#define DECOY_DAEMON_HOSTS_H

#include "daemon/slots.h"

/* What the hosts are known from; each may be NULL. */
struct hosts_given {
    int slots;              /* of --slots; above 0: this host alone, with so many */
    const char *self;       /* this host's name */
    const char *hosts;      /* of --hosts: "h1:4,h2:4"; without a number, as many as this host has CPUs */
    const char *nodelist;   /* "n[1-3,07],m2" */
    const char *cpus;       /* "4(x2),8" */
};

/* Makes the hosts of slots, this one first. */
int hosts_find(struct slots *slots, const struct hosts_given *given, struct err *err);

/* The host of the placement that mpirun or srun says in the file of its standard error to have lost; -1: none. */
int hosts_lost(const struct slots *slots, const struct placement *placement, const char *path);

/* [{"name", "slots", "used", "lost"}]; a new reference. */
json_t *hosts_json(const struct slots *slots);

#endif
