/* Whether somebody listens: ZeroMQ connects to nobody without a word, so connect(2) is tried first. */
#ifndef DECOY_CLIENT_KNOCK_H
#define DECOY_CLIENT_KNOCK_H

#include "common/err.h"

/* STATE/decoyd.sock at path. -ENOTCONN: nobody is there, or another user is, whom nothing may be told. */
int knock_local(const char *state, const char *path, struct err *err);

/* "tcp://10.0.0.5:7890". -ENOTCONN: nobody answers there within some seconds. */
int knock_tcp(const char *address, struct err *err);

#endif
