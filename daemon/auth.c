/* See auth.h. Two sockets are on the loop: the REP that ZeroMQ asks about each CURVE client, and the monitor of the
 * router. Each is read until EAGAIN whenever its descriptor wakes the loop, and nothing else touches it, so that no
 * edge of ZMQ_FD is lost. Debian's ZeroMQ lets everybody in while nobody answers for ZAP (its
 * ZMQ_ZAP_ENFORCE_DOMAIN is a draft): so the REP is there before TCP is bound, the bind ends before the REP does, and
 * the domain is checked here. The list of keys is read anew for every client: an edit counts at once. */
#include "daemon/auth.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/path.h"
#include "common/str.h"
#include "common/zmq_again.h"
#include "proto/keyfile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define ZAP_ENDPOINT     "inproc://zeromq.zap.01"
#define MONITOR_ENDPOINT "inproc://refusals"
#define DOMAIN           "decoy"

enum { ZAP_FRAMES = 7, FRAME_MAX = 256, CURVE_KEY = 32, HEARTBEAT_MS = 5000, SILENCE_MS = 20000 };

enum refusal { OTHER_USER, UNKNOWN_KEY, NO_CURVE, REFUSAL_MAX };

static const char *const REFUSALS[] = {"user", "key", "curve"};

struct auth {
    void *context, *router;
    void *zap, *monitor; /* sockets; zap is NULL without TCP */
    uv_poll_t on_zap, on_monitor;
    int open_handles;
    char *state;
    char address[KEYFILE_ADDRESS_MAX]; /* "" without TCP */
    int64_t refused[REFUSAL_MAX];
};

/* The frames of a ZAP request: version, request id, domain, address, identity, mechanism, credentials. */
struct frames {
    unsigned char data[ZAP_FRAMES][FRAME_MAX];
    size_t size[ZAP_FRAMES], count;
};

static int failure(const char *what, struct err *err)
{
    return err_set(err, -EINVAL, "cannot %s: %s", what, zmq_strerror(zmq_errno()));
}

static bool receive(void *socket, struct frames *frames)
{
    int more = 1;
    size_t size = sizeof more;
    for (frames->count = 0; more; frames->count++) {
        unsigned char spare[FRAME_MAX];
        bool kept = frames->count < ZAP_FRAMES;
        int got = zmq_recv_again(socket, kept ? frames->data[frames->count] : spare, FRAME_MAX, ZMQ_DONTWAIT);
        if (got < 0)
            return false;
        if (kept)
            frames->size[frames->count] = got < FRAME_MAX ? (size_t)got : FRAME_MAX;
        zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
    }
    return true;
}

static bool frame_is(const struct frames *frames, size_t i, const char *text)
{
    return frames->size[i] == strlen(text) && memcmp(frames->data[i], text, frames->size[i]) == 0;
}

/* Whatever is in doubt is refused. */
static bool may_enter(const struct auth *auth, const struct frames *frames)
{
    CLEANUP(free_ptr) char *list = path_join(auth->state, "authorized_keys");
    char key[KEY_SIZE];
    struct err err = {0};
    bool allowed = false;
    int count;
    if (frames->count != ZAP_FRAMES || !frame_is(frames, 0, "1.0") || !frame_is(frames, 2, DOMAIN) ||
        !frame_is(frames, 5, "CURVE") || frames->size[6] != CURVE_KEY ||
        !zmq_z85_encode(key, frames->data[6], CURVE_KEY))
        return false;
    int code = keyfile_allows(list, key, &allowed, &count, &err);
    if (code)
        log_error("%s; nobody is let in by TCP", err.text);
    else if (!allowed)
        log_warning("refused the key %s from %.*s", key, (int)frames->size[3], (const char *)frames->data[3]);
    return !code && allowed;
}

static void on_zap(uv_poll_t *poll, int status, int events)
{
    struct auth *auth = poll->data;
    struct frames frames;
    (void)status, (void)events;
    while (receive(auth->zap, &frames)) {
        bool yes = may_enter(auth, &frames);
        const char *code = yes ? "200" : "400", *text = yes ? "OK" : "not an authorized key";
        auth->refused[UNKNOWN_KEY] += !yes;
        zmq_send_again(auth->zap, "1.0", 3, ZMQ_SNDMORE);
        zmq_send_again(auth->zap, frames.data[1], frames.count > 1 ? frames.size[1] : 0, ZMQ_SNDMORE);
        zmq_send_again(auth->zap, code, 3, ZMQ_SNDMORE);
        zmq_send_again(auth->zap, text, strlen(text), ZMQ_SNDMORE);
        zmq_send_again(auth->zap, "", 0, ZMQ_SNDMORE); /* no user id */
        zmq_send_again(auth->zap, "", 0, 0);           /* no metadata */
    }
}

/* An event is two frames: its number (16 bits) and value (32 bits), and the address that it happened at. A connection
 * that TCP could not accept was nobody's; at the local socket that event is ZeroMQ's no to a uid. */
static enum refusal refusal_of(const struct frames *frames)
{
    uint16_t event = 0;
    memcpy(&event, frames->data[0], sizeof event);
    if (event != ZMQ_EVENT_ACCEPT_FAILED)
        return NO_CURVE;
    bool local = frames->size[1] >= 4 && memcmp(frames->data[1], "ipc:", 4) == 0;
    return local ? OTHER_USER : REFUSAL_MAX;
}

static void on_monitor(uv_poll_t *poll, int status, int events)
{
    static const char *const WHO[REFUSAL_MAX] = {[OTHER_USER] = "a process of another user",
                                                 [NO_CURVE] =
                                                     "a client that does not speak CURVE to our key"};
    struct auth *auth = poll->data;
    struct frames frames;
    (void)status, (void)events;
    while (receive(auth->monitor, &frames)) {
        enum refusal why = frames.count == 2 ? refusal_of(&frames) : REFUSAL_MAX;
        if (why == REFUSAL_MAX)
            continue;
        auth->refused[why]++;
        log_warning("refused %s", WHO[why]);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct auth *auth = handle->data;
    if (--auth->open_handles > 0)
        return;
    free(auth->state);
    free(auth);
}

static int watch(struct auth *auth, uv_loop_t *loop, void *socket, uv_poll_t *poll, uv_poll_cb callback,
                 struct err *err)
{
    int fd;
    size_t size = sizeof fd;
    if (zmq_getsockopt(socket, ZMQ_FD, &fd, &size) != 0)
        return failure("watch a socket", err);
    int code = uv_poll_init(loop, poll, fd);
    if (code)
        return err_set(err, code, "cannot watch a socket: %s", uv_strerror(code));
    poll->data = auth;
    auth->open_handles++;
    uv_poll_start(poll, UV_READABLE, callback);
    callback(poll, 0, 0); /* what was there before we looked */
    return 0;
}

int auth_create(struct auth **out, uv_loop_t *loop, void *context, void *router, const char *state,
                struct err *err)
{
    /* Not HANDSHAKE_FAILED_NO_DETAIL: that is who hangs up by himself. Not _AUTH: on_zap has counted it. */
    const int events = ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
    struct auth *auth = calloc(1, sizeof *auth);
    if (!auth)
        return err_set(err, -ENOMEM, "out of memory");
    auth->context = context;
    auth->router = router;
    auth->state = str_format("%s", state);
    auth->monitor = zmq_socket(context, ZMQ_PAIR);
    int code = auth->monitor && zmq_socket_monitor(router, MONITOR_ENDPOINT, events) == 0 &&
                       zmq_connect(auth->monitor, MONITOR_ENDPOINT) == 0
                   ? watch(auth, loop, auth->monitor, &auth->on_monitor, on_monitor, err)
                   : failure("watch who is refused", err);
    if (code)
        auth_close(auth);
    else
        *out = auth;
    return code;
}

/* The key pair of the file, made where there is none. */
static int own_pair(const struct auth *auth, const char *name, struct keypair *pair, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(auth->state, name);
    int code = keyfile_read(path, pair, err);
    if (code != -ENOENT)
        return code;
    if (zmq_curve_keypair(pair->public_key, pair->secret_key) != 0)
        return failure("make a key", err);
    return keyfile_write(path, pair, err);
}

/* The server's pair; the owner's own is made and let in, unless there is a list already. */
static int prepare_keys(const struct auth *auth, struct keypair *server, struct err *err)
{
    CLEANUP(free_ptr) char *list = path_join(auth->state, "authorized_keys");
    struct keypair owner;
    bool allowed;
    int count, code = own_pair(auth, "server.key", server, err);
    if (!code)
        code = own_pair(auth, "client.key", &owner, err);
    if (code)
        return code;
    code = keyfile_allows(list, NULL, &allowed, &count, err);
    return code == -ENOENT ? keyfile_allow(list, owner.public_key, "the owner", err) : code;
}

/* The colon before the port, or NULL, of "IFACE", "IFACE:PORT" or the same with "[IPv6 address]"; false: neither. */
static bool find_port(const char *where, const char **colon)
{
    const char *end = *where == '[' ? strchr(where, ']') : where;
    *colon = end ? strchr(end, ':') : NULL;
    if (*where == '[')
        return end && (!end[1] || *colon == end + 1);
    return !*colon || !strchr(*colon + 1, ':');
}

/* Whether that is no one interface. */
static bool names_all(const char *name)
{
    static const char *const ALL[] = {"", "*", "0.0.0.0", "[]"};
    struct in6_addr six;
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
        if (strcmp(name, ALL[i]) == 0)
            return true;
    }
    CLEANUP(free_ptr) char *inner = *name == '[' ? strndup(name + 1, strlen(name) - 2) : NULL;
    return inner && inet_pton(AF_INET6, inner, &six) == 1 && (IN6_IS_ADDR_UNSPECIFIED(&six) || IN6_IS_ADDR_V4MAPPED(&six));
}

/* "tcp://IFACE:PORT", with any free port where none is given. */
static int parse_where(const char *where, char **address, struct err *err)
{
    const char *colon;
    int64_t port = 0;
    if (!find_port(where, &colon))
        return err_set(err, -EINVAL, "--listen %s: an IPv6 address is given as [ADDRESS] or [ADDRESS]:PORT", where);
    CLEANUP(free_ptr) char *name = colon ? strndup(where, (size_t)(colon - where)) : str_format("%s", where);
    if (names_all(name))
        return err_set(err, -EINVAL, "--listen %s: name one interface, not all of them", where);
    if (colon && (!str_to_int(colon + 1, &port) || port < 1 || port > 65535))
        return err_set(err, -EINVAL, "--listen %s: after the colon comes a port from 1 to 65535", where);
    *address = colon ? str_format("tcp://%s", where) : str_format("tcp://%s:*", where);
    return 0;
}

/* Options go for the next bind alone: the local socket stays as it is. */
static int secure(void *router, const struct keypair *server, bool ipv6, struct err *err)
{
    int yes = 1, six = ipv6, heartbeat = HEARTBEAT_MS, silence = SILENCE_MS;
    int failed = zmq_setsockopt(router, ZMQ_CURVE_SERVER, &yes, sizeof yes);
    failed |= zmq_setsockopt(router, ZMQ_IPV6, &six, sizeof six); /* else an interface's name could mean either */
    failed |= zmq_setsockopt(router, ZMQ_CURVE_SECRETKEY, server->secret_key, KEY_SIZE);
    failed |= zmq_setsockopt(router, ZMQ_ZAP_DOMAIN, DOMAIN, strlen(DOMAIN));
    failed |= zmq_setsockopt(router, ZMQ_HEARTBEAT_IVL, &heartbeat, sizeof heartbeat);
    failed |= zmq_setsockopt(router, ZMQ_HEARTBEAT_TIMEOUT, &silence, sizeof silence);
    return failed ? failure("set CURVE up", err) : 0;
}

int auth_listen(struct auth *auth, const char *where, struct err *err)
{
    CLEANUP(free_ptr) char *address = NULL, *file = path_join(auth->state, "endpoint.json");
    struct keypair server;
    int code = parse_where(where, &address, err);
    if (!code)
        code = prepare_keys(auth, &server, err);
    if (code)
        return code;
    auth->zap = zmq_socket(auth->context, ZMQ_REP);
    if (!auth->zap || zmq_bind(auth->zap, ZAP_ENDPOINT) != 0)
        return failure("answer for CURVE", err);
    code = watch(auth, auth->on_monitor.loop, auth->zap, &auth->on_zap, on_zap, err);
    if (!code)
        code = secure(auth->router, &server, *where == '[', err);
    if (code)
        return code;
    if (zmq_bind(auth->router, address) != 0)
        return err_set(err, -EINVAL, "--listen %s: %s", where, zmq_strerror(zmq_errno()));
    size_t size = sizeof auth->address;
    if (zmq_getsockopt(auth->router, ZMQ_LAST_ENDPOINT, auth->address, &size) != 0)
        return failure("tell the address", err);
    log_info("serves %s too, for the keys of authorized_keys", auth->address);
    return keyfile_write_endpoint(file, auth->address, server.public_key, err);
}

void auth_close(struct auth *auth)
{
    if (!auth)
        return;
    if (auth->on_monitor.data)
        uv_close((uv_handle_t *)&auth->on_monitor, on_closed);
    if (auth->on_zap.data)
        uv_close((uv_handle_t *)&auth->on_zap, on_closed);
    if (*auth->address)
        zmq_unbind(auth->router, auth->address);
    zmq_socket_monitor(auth->router, NULL, 0);
    if (auth->monitor)
        zmq_close(auth->monitor);
    if (auth->zap)
        zmq_close(auth->zap);
    if (*auth->address) {
        CLEANUP(free_ptr) char *file = path_join(auth->state, "endpoint.json");
        unlink(file);
    }
    if (auth->open_handles == 0) {
        free(auth->state);
        free(auth);
    }
}

json_t *auth_json(const struct auth *auth)
{
    CLEANUP(free_ptr) char *list = path_join(auth->state, "authorized_keys");
    bool allowed;
    int keys = 0;
    if (*auth->address)
        keyfile_allows(list, NULL, &allowed, &keys, NULL);
    json_t *by = json_object();
    int64_t refused = 0;
    for (size_t i = 0; i < REFUSAL_MAX; i++) {
        json_object_set_new(by, REFUSALS[i], json_integer(auth->refused[i]));
        refused += auth->refused[i];
    }
    return json_pack("{sI ss? si sI so}", "uid", (json_int_t)geteuid(), "address",
                     *auth->address ? auth->address : NULL, "keys", keys, "refused", (json_int_t)refused,
                     "refused_by", by);
}
