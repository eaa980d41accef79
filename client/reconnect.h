/* Coming back to a daemon that is started again. */
#ifndef DECOY_CLIENT_RECONNECT_H
#define DECOY_CLIENT_RECONNECT_H

#include "client/endpoint.h"

/* Whether endpoint_next's error means that the daemon is gone, perhaps to come back. */
bool reconnect_fits(int code);

/* Waits until a daemon serves the endpoint's directory again: for a minute, or for $DECOY_RECONNECT (a time span; 0:
 * not at all), or until fd can be read (-EINTR). Says on standard error that it waits, and that it is back. The
 * error that led here (`why`, with its sentence in err) is returned when none came. */
int reconnect(struct endpoint *endpoint, int why, int fd, struct err *err);

#endif
