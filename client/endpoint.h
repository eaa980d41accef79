/* The line to decoyd: one connection, one request at a time, as in proto/README.md. */
#ifndef DECOY_CLIENT_ENDPOINT_H
#define DECOY_CLIENT_ENDPOINT_H

#include "common/cleanup.h"
#include "common/err.h"

#include <jansson.h>
#include <stdbool.h>

#define ENDPOINT_PATIENCE_S 30.0 /* for an answer that takes no waiting for jobs */

struct endpoint;

/* Connects and greets; state is a daemon's directory or, for TCP, its endpoint.json. -EPERM: the other side is not ours,
 * or we are refused; -ENOTCONN: nobody listens there; -EPROTO: a daemon of another protocol;
 * -ETIMEDOUT: it does not answer. */
int endpoint_open(struct endpoint **out, const char *state, struct err *err);
/* The same for an endpoint whose daemon went away; it stays usable for this call only when that fails. */
int endpoint_reopen(struct endpoint *endpoint, struct err *err);
void endpoint_close(struct endpoint *endpoint);
CLEANUP_DEFINE(endpoint_close_ptr, struct endpoint, endpoint_close)

/* From now on waiting ends with -EINTR when fd can be read; -1: no more. */
void endpoint_wake_on(struct endpoint *endpoint, int fd);

const char *endpoint_state(const struct endpoint *endpoint); /* the daemon's directory or endpoint file; borrowed */
bool endpoint_by_tcp(const struct endpoint *endpoint);

/* What the daemon answered to hello; borrowed. */
const json_t *endpoint_hello(const struct endpoint *endpoint);

/* Asks; takes the reference of body. What was asked before is no longer listened to. */
int endpoint_ask(struct endpoint *endpoint, const char *verb, json_t *body, struct err *err);

/* The next reply to the last question; *body is a new reference, *last tells whether it ends the stream.
 * Waits for timeout_s (negative: for ever). -ETIMEDOUT, -EINTR (a signal came, or see endpoint_wake_on), -ENOTCONN
 * (the daemon went away), -ESHUTDOWN (it says that it is ending), -EREMOTEIO (it said no; err has its sentence),
 * -EPROTO. */
int endpoint_next(struct endpoint *endpoint, double timeout_s, json_t **body, bool *last, struct err *err);

/* Asks and waits for the one answer. */
int endpoint_call(struct endpoint *endpoint, const char *verb, json_t *body, json_t **answer,
                  struct err *err);

#endif
