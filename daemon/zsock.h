/* The ROUTER socket, on libuv's loop. ZeroMQ is here and nowhere else in the daemon. */
#ifndef DECOY_DAEMON_ZSOCK_H
#define DECOY_DAEMON_ZSOCK_H

#include "common/err.h"
#include "proto/frame.h"

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

struct zsock;

struct peer {
    unsigned char id[255];
    unsigned char size;
};

bool peer_same(const struct peer *a, const struct peer *b);

/* frames are those after the peer's identity, valid during the call. */
typedef void zsock_on_message(void *context, const struct peer *peer, const struct frame *frames,
                              size_t count);

/* Nothing more has arrived, or a good deal was taken: the loop goes on to other work. */
typedef void zsock_on_quiet(void *context);

/* Binds; the caller holds the lock of the state directory, so that a socket file found is a dead one's. */
int zsock_create(struct zsock **out, uv_loop_t *loop, const char *endpoint, zsock_on_message *on_message,
                 zsock_on_quiet *on_quiet, void *context, struct err *err);

/* Closes its handles and the socket; what was sent leaves within a second. The memory is freed by the loop.
 */
void zsock_close(struct zsock *zsock);

/* Sends a reply; body stays the caller's. -EAGAIN: the peer does not read; -EHOSTUNREACH: it is gone. */
int zsock_send(struct zsock *zsock, const struct peer *peer, const char *kind, const void *id, size_t id_size,
               const json_t *body);

#endif
