/* See zsock.h. ZMQ_FD is edge-triggered and says only that something may have changed, and any send may
 * swallow its edge. So the descriptor merely wakes the loop, and before each sleep of the loop all that has
 * arrived is taken, until EAGAIN; when there is much, the loop does not sleep but comes back after its other
 * work. */
#include "daemon/zsock.h"
#include "common/cleanup.h"
#include "common/str.h"
#include "common/zmq_again.h"
#include "daemon/auth.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PARTS = 1 + FRAME_COUNT + 1, ROUND = 200, HANDLES = 3 };

struct zsock {
    void *context, *socket;
    uv_poll_t poll;       /* wakes the loop */
    uv_prepare_t prepare; /* runs before it sleeps */
    uv_idle_t idle;       /* keeps it from sleeping */
    struct auth *auth;    /* who may connect */
    int open_handles;
    zsock_on_message *on_message;
    zsock_on_quiet *on_quiet;
    void *user;
};

int peer_compare(const struct peer *a, const struct peer *b)
{
    return a->size != b->size ? a->size - b->size : memcmp(a->id, b->id, a->size);
}

static uint64_t inode_of(int fd)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 ? status.st_ino : 0;
}

void peer_know(struct peer *peer)
{
    peer->inode = inode_of(peer->fd);
}

bool peer_has_ended(const struct peer *peer)
{
    return peer->inode && inode_of(peer->fd) != peer->inode;
}

static int set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value);
}

static int open_socket(struct zsock *zsock, const char *state, struct err *err)
{
    CLEANUP(free_ptr) char *endpoint = str_format("ipc://%s/decoyd.sock", state);
    uid_t owner = geteuid();
    zsock->context = zmq_ctx_new();
    zsock->socket = zsock->context ? zmq_socket(zsock->context, ZMQ_ROUTER) : NULL;
    if (!zsock->socket)
        return err_set(err, -ENOMEM, "cannot make a socket: %s", zmq_strerror(zmq_errno()));
    int64_t largest = 2 * FRAME_BODY_MAX; /* beyond it the peer is cut off; up to it, told */
    int failed = zmq_setsockopt(zsock->socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest);
    failed |= zmq_setsockopt(zsock->socket, ZMQ_IPC_FILTER_UID, &owner, sizeof owner);
    failed |= set_int(zsock->socket, ZMQ_ROUTER_MANDATORY, 1);
    failed |= set_int(zsock->socket, ZMQ_HANDSHAKE_IVL, 5000);
    failed |= set_int(zsock->socket, ZMQ_LINGER, 1000);
    failed |= set_int(zsock->socket, ZMQ_SNDHWM, 1000);
    failed |= set_int(zsock->socket, ZMQ_BACKLOG, 1000);
    failed |= set_int(zsock->socket, ZMQ_TCP_KEEPALIVE, 1); /* a host that is lost ends its connections in two minutes */
    failed |= set_int(zsock->socket, ZMQ_TCP_KEEPALIVE_IDLE, 60);
    failed |= set_int(zsock->socket, ZMQ_TCP_KEEPALIVE_INTVL, 15);
    failed |= set_int(zsock->socket, ZMQ_TCP_KEEPALIVE_CNT, 4);
    if (failed)
        return err_set(err, -EINVAL, "cannot set up the socket: %s", zmq_strerror(zmq_errno()));
    if (zmq_bind(zsock->socket, endpoint) != 0)
        return err_set(err, -EINVAL, "cannot serve at %s: %s", endpoint, zmq_strerror(zmq_errno()));
    return 0;
}

/* Receives one message; false when there is none. Parts beyond those we know are read and dropped, but
 * counted. */
static bool receive(struct zsock *zsock)
{
    zmq_msg_t parts[PARTS];
    struct frame frames[PARTS];
    size_t count = 0, kept = 0;
    int more = 1;
    while (more) {
        zmq_msg_t *part = &parts[kept];
        zmq_msg_init(part);
        if (zmq_msg_recv_again(part, zsock->socket, ZMQ_DONTWAIT) < 0)
            break;
        more = zmq_msg_more(part);
        frames[kept] = (struct frame){zmq_msg_data(part), zmq_msg_size(part)};
        count++;
        if (kept < PARTS - 1)
            kept++;
        else
            zmq_msg_close(part);
    }
    if (count > 0 && frames[0].size <= sizeof((struct peer *)0)->id) {
        struct peer peer = {.size = (unsigned char)frames[0].size, .fd = zmq_msg_get(&parts[kept - 1], ZMQ_SRCFD)};
        memcpy(peer.id, frames[0].data, frames[0].size);
        zsock->on_message(zsock->user, &peer, frames + 1, kept < count ? FRAME_COUNT + 1 : count - 1);
    }
    for (size_t i = 0; i < kept; i++)
        zmq_msg_close(&parts[i]);
    return count > 0;
}

static bool has_message(struct zsock *zsock)
{
    return zmq_events_again(zsock->socket) & ZMQ_POLLIN;
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

/* Up to a round of messages; true when there may be more. */
static bool receive_round(struct zsock *zsock)
{
    for (int i = 0; i < ROUND; i++) {
        if (!receive(zsock))
            return false;
        if (uv_is_closing((uv_handle_t *)&zsock->prepare))
            return false;
    }
    return true;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct zsock *zsock = prepare->data;
    bool more = receive_round(zsock);
    if (uv_is_closing((uv_handle_t *)prepare))
        return;
    zsock->on_quiet(zsock->user);
    /* While that was at work, or sent, more may have come without another edge: then the loop comes back. */
    if (more || has_message(zsock))
        uv_idle_start(&zsock->idle, on_idle);
    else
        uv_idle_stop(&zsock->idle);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)poll, (void)status, (void)events; /* the loop is awake: on_prepare does the work */
}

static int start_handles(struct zsock *zsock, uv_loop_t *loop, struct err *err)
{
    int fd;
    size_t size = sizeof fd;
    if (zmq_getsockopt(zsock->socket, ZMQ_FD, &fd, &size) != 0)
        return err_set(err, -EINVAL, "cannot watch the socket: %s", zmq_strerror(zmq_errno()));
    uv_prepare_init(loop, &zsock->prepare);
    uv_idle_init(loop, &zsock->idle);
    zsock->poll.data = zsock->prepare.data = zsock->idle.data = zsock;
    zsock->open_handles = HANDLES - 1;
    int status = uv_poll_init(loop, &zsock->poll, fd);
    if (status == 0) {
        zsock->open_handles = HANDLES;
        uv_poll_start(&zsock->poll, UV_READABLE, on_readable);
    }
    uv_prepare_start(&zsock->prepare, on_prepare);
    return status == 0 ? 0 : err_set(err, status, "cannot watch the socket: %s", uv_strerror(status));
}

static void free_zsock(struct zsock *zsock)
{
    if (zsock->socket)
        zmq_close(zsock->socket);
    if (zsock->context)
        zmq_ctx_term(zsock->context);
    free(zsock);
}

static void on_closed(uv_handle_t *handle)
{
    struct zsock *zsock = handle->data;
    if (--zsock->open_handles == 0)
        free_zsock(zsock);
}

void zsock_close(struct zsock *zsock)
{
    if (!zsock)
        return;
    auth_close(zsock->auth);
    if (zsock->open_handles == 0) {
        free_zsock(zsock);
        return;
    }
    if (zsock->open_handles == HANDLES)
        uv_close((uv_handle_t *)&zsock->poll, on_closed);
    uv_close((uv_handle_t *)&zsock->prepare, on_closed);
    uv_close((uv_handle_t *)&zsock->idle, on_closed);
}

int zsock_create(struct zsock **out, uv_loop_t *loop, const char *state, const char *listen,
                 zsock_on_message *on_message, zsock_on_quiet *on_quiet, void *context, struct err *err)
{
    struct zsock *zsock = calloc(1, sizeof *zsock);
    if (!zsock)
        return err_set(err, -ENOMEM, "out of memory");
    zsock->on_message = on_message;
    zsock->on_quiet = on_quiet;
    zsock->user = context;
    int code = open_socket(zsock, state, err);
    if (!code)
        code = auth_create(&zsock->auth, loop, zsock->context, zsock->socket, state, err);
    if (!code && listen)
        code = auth_listen(zsock->auth, listen, err);
    if (!code)
        code = start_handles(zsock, loop, err);
    if (code) {
        zsock_close(zsock);
        return code;
    }
    *out = zsock;
    return 0;
}

json_t *zsock_reach(const struct zsock *zsock)
{
    return auth_json(zsock->auth);
}

int zsock_send_text(struct zsock *zsock, const struct peer *peer, const char *kind, const void *id,
                    size_t id_size, const char *text)
{
    const int more = ZMQ_DONTWAIT | ZMQ_SNDMORE;
    if (zmq_send_again(zsock->socket, peer->id, peer->size, more) < 0)
        return -zmq_errno();
    /* The first part found the peer's queue open: the others follow it. */
    if (zmq_send_again(zsock->socket, FRAME_PROTOCOL, sizeof FRAME_PROTOCOL - 1, more) < 0 ||
        zmq_send_again(zsock->socket, kind, strlen(kind), more) < 0 ||
        zmq_send_again(zsock->socket, id, id_size, more) < 0 ||
        zmq_send_again(zsock->socket, text, strlen(text), ZMQ_DONTWAIT) < 0)
        return -zmq_errno();
    return 0;
}

int zsock_send(struct zsock *zsock, const struct peer *peer, const char *kind, const void *id, size_t id_size,
               const json_t *body)
{
    CLEANUP(free_ptr) char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(12));
    return text ? zsock_send_text(zsock, peer, kind, id, id_size, text) : -EINVAL;
}
