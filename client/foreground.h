/* One decoy-worker of our own, seen through to its end. */
#ifndef DECOY_CLIENT_FOREGROUND_H
#define DECOY_CLIENT_FOREGROUND_H

#include "common/err.h"

#include <jansson.h>
#include <stdbool.h>

/* Does a job of this kind with one rank, in a temporary directory of its own that is gone afterwards. Its warnings and
 * notes go to standard error, with `shown` its progress to standard output where that is a terminal. *result: what the
 * job found, a new reference (an empty object when it tells nothing). Returns an exit code: EXIT_NEGATIVE when it
 * failed, EXIT_USAGE when it could not be started, EXIT_DETACHED when Ctrl-C or SIGTERM stopped it (a second one kills
 * it); with a sentence unless it is EXIT_DONE. */
int foreground_run(const char *kind, const json_t *fields, bool shown, json_t **result, struct err *err);

#endif
