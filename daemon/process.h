/* Processes as /proc shows them. A job's process tree is a session: its leader (the worker, or mpirun) called
 * setsid, and mpirun's ranks, though in process groups of their own, stay in it. */
#ifndef DECOY_DAEMON_PROCESS_H
#define DECOY_DAEMON_PROCESS_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Start time in clock ticks since boot (/proc/PID/stat, field 22); -ESRCH when it is gone. */
int process_start_ticks(pid_t pid, int64_t *ticks);

int process_boot_id(char boot_id[40], struct err *err);

/* Which of them; the flags may be added up. */
enum process_who {
    PROCESS_ALL = 0,
    PROCESS_BUT_LEADER = 1,
    PROCESS_CATCHES_USR1 = 2,
    PROCESS_LEADER = 4,
    PROCESS_STOPPED = 8, /* by a signal */
    PROCESS_TRACED = 16  /* by a debugger, strace or the like */
};

/* Sends a signal (0: none, to count) to the living members of a session whose environment holds
 * DECOY_TOKEN=token, or to all members where token is NULL. Returns how many there are. */
int process_signal_session(pid_t session, const char *token, int who, int signal);

/* The same for those that left the session and still carry the token. */
int process_signal_strays(pid_t session, const char *token, int signal);

#endif
