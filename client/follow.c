/* See follow.h, and the verbs that follow: watch and wait. The daemon's stream `watch` tells of every change,
 * its stream `wait` of the end; once a second without either, an interruption is looked for. */
#include "client/follow.h"
#include "client/client.h"
#include "client/print.h"
#include "client/row.h"
#include "client/view.h"
#include "common/clock.h"
#include "common/str.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define TICK_S 1.0

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = interrupted + 1;
}

void follow_catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
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

/* " 1 2 3", as many as have room. */
static void list_ids(const json_t *ids, char list[200])
{
    size_t used = 0;
    list[0] = '\0';
    for (size_t i = 0; i < json_array_size(ids) && used + 24 < 200; i++)
        used += (size_t)snprintf(list + used, 200 - used, " %lld",
                                 (long long)json_integer_value(json_array_get(ids, i)));
}

/* Following ends before the jobs do: says how to come back. */
static int detach(const struct endpoint *endpoint, const json_t *ids, int code, struct err *err)
{
    char list[200];
    list_ids(ids, list);
    if (code == -EINTR)
        return err_set(err, code, "detached, the jobs go on; come back with `decoy watch%s`", list);
    if (code == -ETIMEDOUT)
        return err_set(err, code, "the time is up; the jobs go on, `decoy watch%s` shows them", list);
    return err_set(err, code,
                   "the decoyd of %s went away; its jobs are kept: `decoy up` and `decoy watch%s` go on",
                   json_string_value(json_object_get(endpoint_hello(endpoint), "state")), list);
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

/* The next message of the stream into rows, or a tick. */
static int follow_step(struct endpoint *endpoint, json_t *rows, enum follow_style style, bool *last,
                       struct err *err)
{
    json_t *message = NULL;
    int code = endpoint_next(endpoint, TICK_S, &message, last, err);
    if (code == -ETIMEDOUT || code == -EINTR) {
        *err = (struct err){0};
        return 0;
    }
    if (code)
        return code;
    merge(rows, message);
    if (style == FOLLOW_JSON && json_array_size(json_object_get(message, "jobs")))
        print_json(json_pack("{sO}", "jobs", json_object_get(message, "jobs")));
    json_decref(message);
    return 0;
}

int follow_jobs(struct endpoint *endpoint, const json_t *ids, enum follow_style style, double timeout_s,
                json_t **rows, struct err *err)
{
    CLEANUP(view_destroy_ptr) struct view *view = style == FOLLOW_SHOWN ? view_create() : NULL;
    double deadline_s = clock_monotonic_s() + timeout_s;
    json_t *seen = json_object();
    bool first = true, last = false;
    follow_catch_interrupt();
    int code = endpoint_ask(endpoint, style == FOLLOW_SILENT ? "wait" : "watch",
                            json_pack("{sO}", "jobs", ids), err);
    while (!code && !last) {
        code = follow_step(endpoint, seen, style, &last, err);
        if (view && first && json_array_size(ids) == 0)
            view_skip_ended(view, seen);
        first = first && json_object_size(seen) == 0;
        if (view && !code)
            view_draw(view, seen);
        if (!code && !last && interrupted)
            code = -EINTR;
        if (!code && !last && timeout_s >= 0 && clock_monotonic_s() > deadline_s)
            code = -ETIMEDOUT;
    }
    if (code == -EINTR || code == -ETIMEDOUT || code == -ENOTCONN)
        code = detach(endpoint, ids, code, err);
    *rows = ordered(seen, ids);
    json_decref(seen);
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
