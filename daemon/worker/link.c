/* See link.h. Environment, set by decoyd: DECOY_ENDPOINT (ZeroMQ address), DECOY_JOB, DECOY_ATTEMPT,
 * DECOY_TOKEN (fences messages of other attempts out), DECOY_ATTEMPT_DIR. The frames are those of
 * proto/README.md, part "Verbs of a worker". Set by a client that runs a tool: DECOY_ATTEMPT_DIR, and DECOY_REPORTS,
 * the file descriptor of its pipe, on which a report is the message's body with its verb, on one line. */
#include "daemon/worker/link.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/path.h"
#include "common/str.h"
#include "common/zmq_again.h"
#include "proto/frame.h"
#include "proto/json.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#define PROGRESS_PERIOD_S 0.2

struct link {
    int rank;
    int64_t job, attempt;
    char *token, *directory;
    void *context, *socket; /* NULL without a daemon */
    pthread_mutex_t sending; /* one message at a time */
    int reports;            /* pipe to a client; -1: none */
    double last_progress_s;
};

static volatile sig_atomic_t stop_asked, checkpoint_asked;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        checkpoint_asked = 1;
    else
        stop_asked = 1;
}

void link_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int connect_socket(struct link *link, const char *endpoint, struct err *err)
{
    int linger_ms = 1000, high_water = 10000;
    link->context = zmq_ctx_new();
    link->socket = link->context ? zmq_socket(link->context, ZMQ_DEALER) : NULL;
    if (!link->socket)
        return err_set(err, -ENOMEM, "cannot make a socket: %s", zmq_strerror(zmq_errno()));
    zmq_setsockopt(link->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_setsockopt(link->socket, ZMQ_SNDHWM, &high_water, sizeof high_water);
    if (zmq_connect(link->socket, endpoint) != 0)
        return err_set(err, -EINVAL, "cannot connect to %s: %s", endpoint, zmq_strerror(zmq_errno()));
    return 0;
}

static int64_t environment_int(const char *name)
{
    int64_t value = 0;
    const char *text = getenv(name);
    return text && str_to_int(text, &value) ? value : 0;
}

int link_create(struct link **out, int rank, struct err *err)
{
    const char *endpoint = getenv("DECOY_ENDPOINT"), *token = getenv("DECOY_TOKEN"), *directory = getenv("DECOY_ATTEMPT_DIR");
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return err_set(err, -ENOMEM, "out of memory");
    link->rank = rank;
    pthread_mutex_init(&link->sending, NULL);
    link->reports = getenv("DECOY_REPORTS") ? (int)environment_int("DECOY_REPORTS") : -1;
    link->job = environment_int("DECOY_JOB");
    link->attempt = environment_int("DECOY_ATTEMPT");
    if (link->reports >= 0)
        fcntl(link->reports, F_SETFD, FD_CLOEXEC);
    link->token = str_format("%s", token ? token : "");
    link->directory = directory ? str_format("%s", directory) : NULL;
    int code = endpoint ? connect_socket(link, endpoint, err) : 0;
    if (code) {
        link_destroy(link);
        return code;
    }
    *out = link;
    return 0;
}

void link_destroy(struct link *link)
{
    if (!link)
        return;
    if (link->socket)
        zmq_close(link->socket);
    if (link->context)
        zmq_ctx_term(link->context);
    pthread_mutex_destroy(&link->sending);
    free(link->token);
    free(link->directory);
    free(link);
}

static bool is_heard(const struct link *link)
{
    return link->socket || link->reports >= 0;
}

/* One write, so that the client reads whole lines; a client that is gone is no reason to stop. */
static void write_report(const struct link *link, const char *verb, json_t *body)
{
    json_object_set_new(body, "verb", json_string(verb));
    CLEANUP(free_ptr) char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(9));
    CLEANUP(free_ptr) char *line = str_format("%s\n", text ? text : "{}");
    json_decref(body);
    if (write(link->reports, line, strlen(line)) < 0)
        return;
}

/* What does not fit in the queue is dropped: a report is never worth waiting for. */
static void send_frames(struct link *link, const char *verb, const char *text)
{
    const int more = ZMQ_DONTWAIT | ZMQ_SNDMORE;
    pthread_mutex_lock(&link->sending);
    if (zmq_send_again(link->socket, FRAME_PROTOCOL, sizeof FRAME_PROTOCOL - 1, more) >= 0) {
        zmq_send_again(link->socket, verb, strlen(verb), more);
        zmq_send_again(link->socket, "", 0, more);
        zmq_send_again(link->socket, text, strlen(text), ZMQ_DONTWAIT);
    }
    pthread_mutex_unlock(&link->sending);
}

/* Takes the body. */
static void send_report(struct link *link, const char *verb, json_t *body)
{
    if (!link->socket) {
        write_report(link, verb, body);
        return;
    }
    json_object_set_new(body, "job", json_integer(link->job));
    json_object_set_new(body, "attempt", json_integer(link->attempt));
    json_object_set_new(body, "token", json_string(link->token));
    json_object_set_new(body, "rank", json_integer(link->rank));
    CLEANUP(free_ptr) char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(body);
    if (text)
        send_frames(link, verb, text);
}

void link_progress(struct link *link, double done, double total, const char *unit)
{
    double now_s = clock_monotonic_s();
    if (!is_heard(link) || (done < total && now_s - link->last_progress_s < PROGRESS_PERIOD_S))
        return;
    link->last_progress_s = now_s;
    send_report(link, "progress", json_pack("{sf sf ss}", "done", done, "total", total, "unit", unit));
}

void link_metrics(struct link *link, json_t *row)
{
    if (is_heard(link))
        send_report(link, "metrics", json_pack("{so}", "row", row));
    else
        json_decref(row);
}

static void say(struct link *link, enum log_level level, const char *format, va_list arguments)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, arguments);
    str_clean(text, sizeof text, text, strlen(text));
    log_line(level, "%s", text);
    if (is_heard(link))
        send_report(link, level == LOG_LEVEL_WARNING ? "warning" : "note", json_pack("{ss}", "text", text));
}

void link_note(struct link *link, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(link, LOG_LEVEL_INFO, format, arguments);
    va_end(arguments);
}

void link_warning(struct link *link, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(link, LOG_LEVEL_WARNING, format, arguments);
    va_end(arguments);
}

void link_alive(struct link *link, const bool *heard, int ranks)
{
    json_t *list = json_array();
    for (int rank = 0; rank < ranks; rank++) {
        if (heard[rank])
            json_array_append_new(list, json_integer(rank));
    }
    send_report(link, "alive", json_pack("{so}", "ranks", list));
}

bool link_has_daemon(const struct link *link)
{
    return link->socket != NULL;
}

int link_result(struct link *link, json_t *result, struct err *err)
{
    int code = 0;
    if (link->directory) {
        CLEANUP(free_ptr) char *path = path_join(link->directory, "result.json");
        code = json_publish_file(path, result, err);
    } else {
        CLEANUP(free_ptr) char *text = json_dumps(result, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
        printf("%s\n", text ? text : "{}");
    }
    json_decref(result);
    return code;
}

bool link_stop_asked(const struct link *link)
{
    (void)link;
    return stop_asked;
}

bool link_checkpoint_asked(struct link *link)
{
    (void)link;
    bool asked = checkpoint_asked;
    checkpoint_asked = 0;
    return asked;
}
