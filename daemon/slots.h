/* Slots: how many threads this daemon may keep busy, on its own host or over the hosts of an allocation. A job takes
 * ranks x threads of them while it runs; the threads of a rank are on one host. Where the cores of the hosts are the
 * daemon's own (an allocation), each rank is given cores of its own. */
#ifndef DECOY_DAEMON_SLOTS_H
#define DECOY_DAEMON_SLOTS_H

#include "common/err.h"
#include "proto/message.h"

#include <stdbool.h>

enum { HOST_NAME_MAX_ = 256 };

struct host {
    char name[HOST_NAME_MAX_];
    int total, used;
    bool *taken; /* (total): of its slots; slot i is the i-th CPU a process may run on there */
    bool lost;   /* takes no more jobs */
};

struct slots {
    struct host *hosts; /* the first is the daemon's own, if it is one of them */
    size_t count;
    int total, used; /* over the hosts that are not lost */
    bool allocated;  /* the hosts are those of an allocation: they may be lost, and jobs may take fewer ranks */
};

/* Where the ranks of an attempt run, host by host. */
struct share {
    int host, ranks; /* index into slots->hosts */
    int *cpus;       /* (ranks x threads) */
};

struct placement {
    int ranks, threads;
    struct share *shares;
    size_t count;
};

/* hosts and count as hosts_find made them; taken over. */
void slots_init(struct slots *slots, struct host *hosts, size_t count, bool allocated);
void slots_clear(struct slots *slots);

/* Slots that a job asks for. */
long slots_needed(const struct job_row *row);

/* How many ranks it would run on here were all slots free: as many as it asks for, fewer where an allocation has no
 * more (results do not depend on it), or 0: it can never start here. */
int slots_ranks(const struct slots *slots, const struct job_row *row);

/* 0, or -EINVAL with a sentence when the job asks for more than there is. */
int slots_check(const struct slots *slots, const struct job_row *row, struct err *err);

/* false: not free now. */
bool slots_take(struct slots *slots, const struct job_row *row, struct placement *placement);
void slots_give(struct slots *slots, struct placement *placement); /* frees what it holds */

/* A host takes no jobs any more. */
void slots_lose(struct slots *slots, int host);

/* "h1/4:0,1,2,3;h2/2:0,1": each host, its slots, and the slots of its ranks in turn; the caller's. */
char *placement_cpus(const struct slots *slots, const struct placement *placement);

#endif
