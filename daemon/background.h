/* decoyd as a background process: the command returns once the daemon serves, or says why it does not. */
#ifndef DECOY_DAEMON_BACKGROUND_H
#define DECOY_DAEMON_BACKGROUND_H

#include "common/err.h"

#include <stdbool.h>

/* In the child: 0, with *ready the descriptor for background_ready. In the parent it does not return: it
 * waits for the child's word and exits with 0, or with 1 after printing the child's sentence. */
int background_start(int *ready, struct err *err);

/* Tells the waiting parent that the daemon serves (why NULL) or failed. Does nothing where ready is -1. */
void background_ready(int *ready, const char *why);

/* Standard error goes to the file from now on, standard input and output nowhere. */
int background_log_to(const char *path, struct err *err);

#endif
