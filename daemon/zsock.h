/* The ROUTER socket, on libuv's loop. ZeroMQ is here and in auth.c, which decides who may connect, and nowhere else in
 * the daemon. */
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
    int fd;         /* of the connection by which it spoke, which is ZeroMQ's; -1: not known */
    uint64_t inode; /* of that, once peer_know was called; 0: not known */
};

int peer_compare(const struct peer *a, const struct peer *b); /* as strcmp; 0: the same peer */

/* ZeroMQ tells of a peer's end only who sends to it. So its connection is remembered, by the number of its socket that
 * is never given out twice; and it has ended when that socket is not there any more. */
void peer_know(struct peer *peer);
bool peer_has_ended(const struct peer *peer);

/* frames are those after the peer's identity, valid during the call. */
typedef void zsock_on_message(void *context, const struct peer *peer, const struct frame *frames,
                              size_t count);

/* Nothing more has arrived, or a good deal was taken: the loop goes on to other work. */
typedef void zsock_on_quiet(void *context);

/* Binds STATE/decoyd.sock and, where listen ("IFACE[:PORT]") is not NULL, TCP with CURVE. The caller holds the lock of
 * the state directory, so that a socket file found is a dead one's. */
int zsock_create(struct zsock **out, uv_loop_t *loop, const char *state, const char *listen,
                 zsock_on_message *on_message, zsock_on_quiet *on_quiet, void *context, struct err *err);

/* Who may connect and how, and how many were refused: auth_json. */
json_t *zsock_reach(const struct zsock *zsock);

/* Closes its handles and the socket; what was sent leaves within a second. The memory is freed by the loop.
 */
void zsock_close(struct zsock *zsock);

/* Sends a reply; body stays the caller's. -EAGAIN: the peer does not read; -EHOSTUNREACH: it is gone. */
int zsock_send_text(struct zsock *zsock, const struct peer *peer, const char *kind, const void *id, size_t id_size,
                    const char *text);
int zsock_send(struct zsock *zsock, const struct peer *peer, const char *kind, const void *id, size_t id_size,
               const json_t *body);

#endif
