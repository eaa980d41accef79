/* Starts one attempt of a job: decoy-worker itself, or mpirun with as many ranks as asked. An argument vector
 * and an environment from an allow-list; no shell. The child waits before it runs anything, until spawn_go:
 * so its (pid, start time, boot id) can be on the disk first. When the daemon dies before that, the child
 * ends. */
#ifndef DECOY_DAEMON_SPAWN_H
#define DECOY_DAEMON_SPAWN_H

#include "common/err.h"
#include "daemon/config.h"
#include "daemon/slots.h"
#include "daemon/store.h"
#include "proto/message.h"

#include <stdbool.h>
#include <sys/types.h>

struct daemon;

struct child {
    pid_t pid; /* also its session's id */
    int gate;  /* a byte written here lets it run */
};

/* "STATE/jobs/ID/attempt-N", the caller's. */
char *spawn_directory(const char *state, int64_t job, int attempt);

/* Whether the ranks need a launcher, and whether that one's ranks are outside its session. */
bool spawn_launches(const struct placement *placement);
bool spawn_elsewhere(const struct placement *placement, const struct config *config);

/* Makes the attempt's directory with spec.json, stdout and stderr in it, and the waiting child. Fills pid,
 * start_ticks, boot_id and token of attempt, whose job and number are given. row's spec is loaded. */
int spawn_prepare(struct child *child, struct attempt *attempt, const struct job_row *row,
                  const struct placement *placement, const struct daemon *daemon, struct err *err);

void spawn_go(struct child *child);     /* runs it */
void spawn_cancel(struct child *child); /* ends it before it ran anything, and reaps it */

#endif
