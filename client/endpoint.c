/* See endpoint.h; ZeroMQ is spoken here alone.
 *
 * ZeroMQ connects to a socket that nobody listens on without a word and waits for ever. So the address is
 * tried with connect(2) first (knock.h), reconnecting is off, and a monitor tells when the daemon has gone. */
#include "client/endpoint.h"
#include "client/knock.h"
#include "common/clock.h"
#include "common/path.h"
#include "common/str.h"
#include "common/zmq_again.h"
#include "proto/frame.h"
#include "proto/json.h"
#include "proto/keyfile.h"

#include <errno.h>
#include <string.h>

#define GREETING_S       5.0
#define MONITOR_ENDPOINT "inproc://monitor"

enum { HEARTBEAT_MS = 5000, SILENCE_MS = 20000 };

struct endpoint {
    char *state;     /* the daemon's directory, or its endpoint file */
    bool by_tcp;     /* the latter */
    void *context, *socket, *monitor;
    json_t *hello;
    unsigned request;
    int wake; /* endpoint_wake_on, or -1 */
};

struct frames {
    size_t count;
    zmq_msg_t part[FRAME_COUNT];
};

static int zmq_failure(const char *what, struct err *err)
{
    return err_set(err, -EIO, "cannot %s: %s", what, zmq_strerror(zmq_errno()));
}

/* CURVE, and a word now and then, so that a host that is lost is noticed. */
static int secure(void *socket, const struct keyfile_endpoint *remote, struct err *err)
{
    int heartbeat = HEARTBEAT_MS, silence = SILENCE_MS, six = strncmp(remote->address, "tcp://[", 7) == 0;
    int failed = zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, remote->server_key, KEY_SIZE);
    failed |= zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, remote->client.public_key, KEY_SIZE);
    failed |= zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, remote->client.secret_key, KEY_SIZE);
    failed |= zmq_setsockopt(socket, ZMQ_IPV6, &six, sizeof six);
    zmq_setsockopt(socket, ZMQ_HEARTBEAT_IVL, &heartbeat, sizeof heartbeat);
    zmq_setsockopt(socket, ZMQ_HEARTBEAT_TIMEOUT, &silence, sizeof silence);
    return failed ? zmq_failure("use the keys", err) : 0;
}

/* remote is NULL for the local socket. */
static int connect_socket(struct endpoint *endpoint, const char *address, const struct keyfile_endpoint *remote,
                          struct err *err)
{
    int none = 0, never = -1;
    int64_t limit = 1 << 30; /* a list of ten million jobs */
    const int events = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED;
    endpoint->context = zmq_ctx_new();
    endpoint->socket = endpoint->context ? zmq_socket(endpoint->context, ZMQ_DEALER) : NULL;
    endpoint->monitor = endpoint->socket ? zmq_socket(endpoint->context, ZMQ_PAIR) : NULL;
    if (!endpoint->monitor)
        return zmq_failure("make a ZeroMQ socket", err);
    zmq_setsockopt(endpoint->socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(endpoint->socket, ZMQ_RECONNECT_IVL, &never, sizeof never);
    zmq_setsockopt(endpoint->socket, ZMQ_MAXMSGSIZE, &limit, sizeof limit);
    if (remote && secure(endpoint->socket, remote, err) != 0)
        return -EIO;
    if (zmq_socket_monitor(endpoint->socket, MONITOR_ENDPOINT, events) != 0 ||
        zmq_connect(endpoint->monitor, MONITOR_ENDPOINT) != 0 || zmq_connect(endpoint->socket, address) != 0)
        return zmq_failure("connect to decoyd", err);
    return 0;
}

static int other_version(const struct endpoint *endpoint, struct err *err)
{
    return err_set(
        err, -EPROTO,
        "the daemon of %s does not speak protocol %d of this decoy %s; use the decoy of its own version",
        endpoint->state, FRAME_VERSION, DECOY_VERSION);
}

static int greet(struct endpoint *endpoint, struct err *err)
{
    bool last;
    int code = endpoint_ask(endpoint, "hello", json_pack("{s[i]}", "protocols", FRAME_VERSION), err);
    if (!code)
        code = endpoint_next(endpoint, GREETING_S, &endpoint->hello, &last, err);
    if (code == -ETIMEDOUT)
        return err_set(err, code, "the daemon of %s does not answer", endpoint->state);
    if (code == -ENOTCONN && endpoint->by_tcp)
        return err_set(err, -EPERM,
                       "decoyd refuses the keys of %s: its authorized_keys does not hold the client's, or the "
                       "file is of another decoyd",
                       endpoint->state);
    if (code)
        return code;
    return json_integer_value(json_object_get(endpoint->hello, "protocol")) == FRAME_VERSION
               ? 0
               : other_version(endpoint, err);
}

static void disconnect(struct endpoint *endpoint)
{
    if (endpoint->monitor) {
        zmq_socket_monitor(endpoint->socket, NULL, 0);
        zmq_close(endpoint->monitor);
    }
    if (endpoint->socket)
        zmq_close(endpoint->socket);
    if (endpoint->context)
        zmq_ctx_term(endpoint->context);
    json_decref(endpoint->hello);
    endpoint->context = endpoint->socket = endpoint->monitor = NULL;
    endpoint->hello = NULL;
}

static int connect_local(struct endpoint *endpoint, struct err *err)
{
    CLEANUP(free_ptr) char *path = str_format("%s/decoyd.sock", endpoint->state);
    CLEANUP(free_ptr) char *address = str_format("ipc://%s", path);
    int code = knock_local(endpoint->state, path, err);
    return code ? code : connect_socket(endpoint, address, NULL, err);
}

static int connect_tcp(struct endpoint *endpoint, struct err *err)
{
    struct keyfile_endpoint remote;
    int code = keyfile_read_endpoint(endpoint->state, &remote, err);
    if (code == -ENOENT)
        return err_set(err, -ENOTCONN, "%s; its decoyd has ended, or was started without --listen", err ? err->text : "");
    if (!code)
        code = knock_tcp(remote.address, err);
    return code ? code : connect_socket(endpoint, remote.address, &remote, err);
}

int endpoint_reopen(struct endpoint *endpoint, struct err *err)
{
    disconnect(endpoint);
    int code = endpoint->by_tcp ? connect_tcp(endpoint, err) : connect_local(endpoint, err);
    return code ? code : greet(endpoint, err);
}

int endpoint_open(struct endpoint **out, const char *state, struct err *err)
{
    if (!state)
        return err_set(err, -EINVAL,
                       "neither --state, DECOY_STATE, XDG_STATE_HOME nor HOME says where decoyd is");
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (!endpoint)
        return err_set(err, -ENOMEM, "out of memory");
    endpoint->state = str_format("%s", state);
    endpoint->by_tcp = path_exists(state) && !path_is_directory(state);
    endpoint->wake = -1;
    int code = endpoint_reopen(endpoint, err);
    if (!code)
        *out = TAKE(endpoint);
    return code;
}

void endpoint_close(struct endpoint *endpoint)
{
    if (!endpoint)
        return;
    disconnect(endpoint);
    free(endpoint->state);
    free(endpoint);
}

void endpoint_wake_on(struct endpoint *endpoint, int fd)
{
    endpoint->wake = fd;
}

const char *endpoint_state(const struct endpoint *endpoint)
{
    return endpoint->state;
}

bool endpoint_by_tcp(const struct endpoint *endpoint)
{
    return endpoint->by_tcp;
}

const json_t *endpoint_hello(const struct endpoint *endpoint)
{
    return endpoint->hello;
}

static int gone(const struct endpoint *endpoint, struct err *err)
{
    return err_set(err, -ENOTCONN,
                   "the decoyd of %s went away; its jobs are kept: start it again with `decoy up`",
                   endpoint->state);
}

int endpoint_ask(struct endpoint *endpoint, const char *verb, json_t *body, struct err *err)
{
    CLEANUP(free_ptr) char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    if (!text)
        return err_set(err, -EINVAL, "the request %s is not JSON", verb);
    if (strlen(text) > FRAME_BODY_MAX)
        return err_set(err, -EINVAL, "the request %s is longer than the 1 MiB that decoyd takes", verb);
    endpoint->request++;
    const int more = ZMQ_DONTWAIT | ZMQ_SNDMORE; /* to wait would be for ever: nobody connects again */
    bool sent = zmq_send_again(endpoint->socket, FRAME_PROTOCOL, sizeof FRAME_PROTOCOL - 1, more) >= 0 &&
                zmq_send_again(endpoint->socket, verb, strlen(verb), more) >= 0 &&
                zmq_send_again(endpoint->socket, &endpoint->request, sizeof endpoint->request, more) >= 0 &&
                zmq_send_again(endpoint->socket, text, strlen(text), ZMQ_DONTWAIT) >= 0;
    if (!sent && zmq_errno() == EAGAIN)
        return gone(endpoint, err);
    return sent ? 0 : zmq_failure("send to decoyd", err);
}

static void frames_clear(struct frames *frames)
{
    for (size_t i = 0; i < frames->count; i++)
        zmq_msg_close(&frames->part[i]);
    frames->count = 0;
}

/* One whole message; what is beyond FRAME_COUNT is dropped. -EAGAIN when there is none. */
static int receive(void *socket, struct frames *frames)
{
    for (bool more = true; more;) {
        zmq_msg_t spare, *part = frames->count < FRAME_COUNT ? &frames->part[frames->count] : &spare;
        zmq_msg_init(part);
        if (zmq_msg_recv_again(part, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(part);
            return -EAGAIN;
        }
        more = zmq_msg_more(part);
        if (part == &spare)
            zmq_msg_close(part);
        else
            frames->count++;
    }
    return 0;
}

static bool frame_is(struct frames *frames, size_t i, const void *bytes, size_t size)
{
    return i < frames->count && zmq_msg_size(&frames->part[i]) == size &&
           memcmp(zmq_msg_data(&frames->part[i]), bytes, size) == 0;
}

static int take_error(const struct endpoint *endpoint, const json_t *body, struct err *err)
{
    const char *name = json_string_value(json_object_get(body, "code")),
               *text = json_string_value(json_object_get(body, "text"));
    if (name && strcmp(name, "bad_version") == 0)
        return other_version(endpoint, err);
    if (name && strcmp(name, "ending") == 0)
        return err_set(err, -ESHUTDOWN, "%s", text ? text : "decoyd is ending");
    return err_set(err, -EREMOTEIO, "%s", text ? text : "decoyd refused without a reason");
}

/* -EAGAIN: a reply to an earlier question. */
static int take_reply(struct endpoint *endpoint, struct frames *frames, json_t **body, bool *last,
                      struct err *err)
{
    json_t *value = NULL;
    if (!frame_is(frames, 0, FRAME_PROTOCOL, sizeof FRAME_PROTOCOL - 1) || frames->count != FRAME_COUNT)
        return other_version(endpoint, err);
    bool failed = frame_is(frames, 1, "error", 5);
    bool bad_frame = failed && zmq_msg_size(&frames->part[2]) == 0; /* a daemon that could not read the id */
    if (!frame_is(frames, 2, &endpoint->request, sizeof endpoint->request) && !bad_frame)
        return -EAGAIN;
    if (json_parse_bytes(zmq_msg_data(&frames->part[3]), zmq_msg_size(&frames->part[3]), &value, NULL) != 0)
        return err_set(err, -EPROTO, "decoyd sent a reply that is not JSON");
    *last = !frame_is(frames, 1, "event", 5);
    if (failed) {
        int code = take_error(endpoint, value, err);
        json_decref(value);
        return code;
    }
    *body = value;
    return 0;
}

/* Until the socket has a message: 0, -ETIMEDOUT, -EINTR or -ENOTCONN. */
static int await(struct endpoint *endpoint, double deadline_s, struct err *err)
{
    zmq_pollitem_t items[] = {{endpoint->socket, 0, ZMQ_POLLIN, 0},
                              {endpoint->monitor, 0, ZMQ_POLLIN, 0},
                              {NULL, endpoint->wake, ZMQ_POLLIN, 0}};
    double left_s = deadline_s - clock_monotonic_s();
    long wait_ms = deadline_s < 0 ? -1 : left_s > 0 ? (long)(1000 * left_s) + 1 : 0;
    int ready = zmq_poll(items, endpoint->wake < 0 ? 2 : 3, wait_ms);
    if (ready < 0)
        return zmq_errno() == EINTR ? err_set(err, -EINTR, "interrupted")
                                    : zmq_failure("listen to decoyd", err);
    if (items[0].revents)
        return 0;
    if (items[2].revents)
        return err_set(err, -EINTR, "interrupted");
    return items[1].revents ? gone(endpoint, err) : err_set(err, -ETIMEDOUT, "decoyd did not answer in time");
}

int endpoint_next(struct endpoint *endpoint, double timeout_s, json_t **body, bool *last, struct err *err)
{
    double deadline_s = timeout_s < 0 ? -1 : clock_monotonic_s() + timeout_s;
    for (;;) {
        struct frames frames = {0};
        int code = receive(endpoint->socket, &frames);
        if (!code)
            code = take_reply(endpoint, &frames, body, last, err);
        else
            code = (code = await(endpoint, deadline_s, err)) ? code : -EAGAIN;
        frames_clear(&frames);
        if (code != -EAGAIN)
            return code;
    }
}

int endpoint_call(struct endpoint *endpoint, const char *verb, json_t *body, json_t **answer, struct err *err)
{
    bool last = false;
    int code = endpoint_ask(endpoint, verb, body, err);
    while (!code && !last) {
        code = endpoint_next(endpoint, ENDPOINT_PATIENCE_S, answer, &last, err);
        if (!code && !last)
            json_decref(*answer);
    }
    return code;
}
