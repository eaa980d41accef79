/* Calls of ZeroMQ that a signal does not end. Where a handler runs while such a call looks for work (each worker that
 * ends is a SIGCHLD), it gives EINTR though it was told not to wait: a part would not be sent, an answer would be
 * lost, or what has come would be left lying. */
#ifndef DECOY_COMMON_ZMQ_AGAIN_H
#define DECOY_COMMON_ZMQ_AGAIN_H

#include <errno.h>
#include <stdbool.h>
#include <zmq.h>

static inline int zmq_send_again(void *socket, const void *data, size_t size, int flags)
{
    int sent;
    do
        sent = zmq_send(socket, data, size, flags);
    while (sent < 0 && zmq_errno() == EINTR);
    return sent;
}

static inline int zmq_msg_recv_again(zmq_msg_t *message, void *socket, int flags)
{
    int size;
    do
        size = zmq_msg_recv(message, socket, flags);
    while (size < 0 && zmq_errno() == EINTR);
    return size;
}

static inline int zmq_recv_again(void *socket, void *data, size_t room, int flags)
{
    int size;
    do
        size = zmq_recv(socket, data, room, flags);
    while (size < 0 && zmq_errno() == EINTR);
    return size;
}

/* ZMQ_POLLIN, ZMQ_POLLOUT; 0 on error. */
static inline int zmq_events_again(void *socket)
{
    int events = 0, code;
    size_t size = sizeof events;
    do
        code = zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size);
    while (code < 0 && zmq_errno() == EINTR);
    return code == 0 ? events : 0;
}

#endif
