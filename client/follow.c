/* See follow.h, and the verbs that follow: watch and wait. The daemon's stream `watch` tells of every change,
 * its stream `wait` of the end. Nothing is polled: the program sleeps until a message or an interruption comes. */
#include "client/follow.h"
#include "client/client.h"
#include "client/print.h"
#include "client/reconnect.h"
#include "client/row.h"
#include "client/view.h"
#include "common/clock.h"
#include "common/str.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;
static int wake = -1; /* an eventfd that the handler writes to */

static void on_interrupt(int number)
{
    static const uint64_t ONE = 1;
    int kept = errno;
    (void)number;
    interrupted = interrupted + 1;
    if (write(wake, &ONE, sizeof ONE) < 0)
        interrupted = interrupted; /* nothing is lost: the signal itself ends the wait */
    errno = kept;
}

int follow_catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    if (wake < 0)
        wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return wake;
}

int follow_interrupted(void)
{
    return interrupted;
}

int follow_exit(const json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach((json_t *)rows, i, row)
    {
        if (!row_is(row, "succeeded"))
            return EXIT_NEGATIVE;
    }
    return EXIT_DONE;
}

/* Following ends before the jobs do: says how to come back. */
static int detach(const struct endpoint *endpoint, const json_t *ids, int code, struct err *err)
{
    CLEANUP(free_ptr) char *list = print_ids(ids);
    const char *space = *list ? " " : ""; /* without ids it followed all */
    if (code == -EINTR)
        return err_set(err, code, "detached, the jobs go on; come back with `decoy watch%s%s`", space, list);
    if (code == -ETIMEDOUT)
        return err_set(err, code, "the time is up; the jobs go on, `decoy watch%s%s` shows them", space, list);
    return err_set(err, code,
                   "the decoyd of %s went away; its jobs are kept: `decoy up` and `decoy watch%s%s` go on",
                   endpoint_state(endpoint), space, list);
}

/* Puts the rows of a message into {"id": ROW}. */
static void merge(json_t *rows, const json_t *message)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(message, "jobs"), i, row)
    {
        CLEANUP(free_ptr) char *id = str_format("%ld", row_id(row));
        json_object_set(rows, id, row);
    }
}

/* The rows in the order of ids, or all. */
static json_t *ordered(const json_t *rows, const json_t *ids)
{
    json_t *list = json_array(), *row;
    const char *name;
    for (size_t i = 0; i < json_array_size(ids); i++) {
        CLEANUP(free_ptr)
        char *id = str_format("%lld", (long long)json_integer_value(json_array_get(ids, i)));
        if (json_object_get(rows, id))
            json_array_append(list, json_object_get(rows, id));
    }
    if (json_array_size(ids) == 0) {
        json_object_foreach((json_t *)rows, name, row) json_array_append(list, row);
    }
    return list;
}

struct following {
    struct endpoint *endpoint;
    const json_t *ids;
    enum follow_style style;
    double deadline_s; /* below 0: none */
    struct view *view;
    json_t *seen; /* {"id": ROW} */
    bool begun;   /* the first rows have come */
};

static int ask(const struct following *following, struct err *err)
{
    return endpoint_ask(following->endpoint, following->style == FOLLOW_SILENT ? "wait" : "watch",
                        json_pack("{sO}", "jobs", following->ids), err);
}

static void show(struct following *following, const json_t *message)
{
    const json_t *rows = json_object_get(message, "jobs");
    merge(following->seen, message);
    if (following->style == FOLLOW_JSON && json_array_size(rows))
        print_json(json_pack("{sO}", "jobs", rows));
    if (following->view && !following->begun && json_array_size(following->ids) == 0)
        view_skip_ended(following->view, following->seen);
    following->begun = following->begun || rows;
    if (following->view)
        view_draw(following->view, following->seen);
}

/* The next message of the stream, or why there is none. */
static int follow_step(struct following *following, bool *last, struct err *err)
{
    double left_s = following->deadline_s - clock_monotonic_s();
    json_t *message = NULL;
    int code = endpoint_next(following->endpoint, following->deadline_s < 0 ? -1 : fmax(left_s, 0), &message,
                             last, err);
    if (code == -EINTR && !interrupted)
        code = 0; /* another signal */
    if (message)
        show(following, message);
    json_decref(message);
    if (!reconnect_fits(code))
        return code;
    *last = false; /* it was the old daemon's */
    if (following->view)
        view_clear(following->view);
    code = reconnect(following->endpoint, code, wake, err);
    return code ? code : ask(following, err);
}

int follow_jobs(struct endpoint *endpoint, const json_t *ids, enum follow_style style, double timeout_s,
                json_t **rows, struct err *err)
{
    CLEANUP(view_destroy_ptr) struct view *view = style == FOLLOW_SHOWN ? view_create() : NULL;
    struct following following = {
        endpoint, ids, style, timeout_s < 0 ? -1 : clock_monotonic_s() + timeout_s, view, json_object()};
    bool last = false;
    endpoint_wake_on(endpoint, follow_catch_interrupt());
    int code = ask(&following, err);
    while (!code && !last)
        code = follow_step(&following, &last, err);
    endpoint_wake_on(endpoint, -1);
    if (code == -EINTR || code == -ETIMEDOUT || reconnect_fits(code))
        code = detach(endpoint, ids, code, err);
    *rows = ordered(following.seen, ids);
    json_decref(following.seen);
    return code;
}

int watch_run(struct client *client, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    json_t *ids = NULL, *rows = NULL;
    int exit_code = client_ids(client, 0, &ids, err);
    if (exit_code)
        return exit_code;
    int code = endpoint_open(&endpoint, client->state, err);
    if (!code)
        code = follow_jobs(endpoint, ids, client->json ? FOLLOW_JSON : FOLLOW_SHOWN, -1, &rows, err);
    exit_code = code ? exit_of(code) : follow_exit(rows);
    if (code == -EINTR && json_array_size(ids) == 0) {
        *err = (struct err){0};
        exit_code = EXIT_DONE;
    }
    json_decref(ids);
    json_decref(rows);
    return exit_code;
}

int wait_run(struct client *client, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    json_t *ids = NULL, *rows = NULL, *row;
    const json_t *timeout = json_object_get(client->given, "timeout");
    size_t i;
    int exit_code = client_ids(client, 0, &ids, err);
    if (exit_code)
        return exit_code;
    int code = endpoint_open(&endpoint, client->state, err);
    if (!code)
        code =
            follow_jobs(endpoint, ids, FOLLOW_SILENT, timeout ? json_number_value(timeout) : -1, &rows, err);
    exit_code = code ? exit_of(code) : follow_exit(rows);
    if (!code && client->json)
        print_json(json_pack("{sO}", "jobs", rows));
    json_array_foreach(rows, i, row)
    {
        if (!client->json)
            view_line(row);
    }
    json_decref(ids);
    json_decref(rows);
    return exit_code;
}
