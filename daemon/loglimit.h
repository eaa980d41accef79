/* Keeps what attempts write to stdout and stderr, and decoyd.log, below --log-limit (trim.h): looks every two seconds
 * while jobs run, else every minute. */
#ifndef DECOY_DAEMON_LOGLIMIT_H
#define DECOY_DAEMON_LOGLIMIT_H

#include "daemon/daemon.h"

struct loglimit;

int loglimit_create(struct loglimit **out, struct daemon *daemon, struct err *err);
void loglimit_wake(struct loglimit *loglimit);  /* a job has started */
void loglimit_close(struct loglimit *loglimit); /* freed by its owner once the loop is closed */

#endif
