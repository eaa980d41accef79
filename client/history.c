/* The verbs that look back, and go on looking with -f: logs and events. */
#include "client/client.h"
#include "client/endpoint.h"
#include "client/follow.h"
#include "client/print.h"
#include "client/reconnect.h"
#include "client/row.h"
#include "common/clock.h"
#include "common/str.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LOGS_PIECE    (64 << 10) /* JSON may make six bytes of one, and a body has 1 MiB */
#define LOGS_PAUSE_US 300000

static long given_int(const struct client *client, const char *name)
{
    return (long)json_integer_value(json_object_get(client->given, name));
}

static bool given_bool(const struct client *client, const char *name)
{
    return json_is_true(json_object_get(client->given, name));
}

static void show_piece(const struct client *client, long id, const json_t *piece)
{
    const json_t *text = json_object_get(piece, "text");
    if (!client->json)
        fwrite(json_string_value(text), 1, json_string_length(text), stdout);
    else if (json_string_length(text) || json_is_true(json_object_get(piece, "ended")))
        print_json(json_pack("{sI so so so so}", "job", (json_int_t)id, "attempt",
                             json_incref(json_object_get(piece, "attempt")), "path",
                             json_incref(json_object_get(piece, "path")), "text", json_incref((json_t *)text),
                             "ended", json_incref(json_object_get(piece, "ended"))));
    fflush(stdout);
}

/* One piece from *offset on; *more: there may be more at once, *ended: and the attempt has ended. */
static int logs_step(struct client *client, struct endpoint *endpoint, long id, json_int_t *attempt,
                     json_int_t *offset, bool *more, bool *ended, struct err *err)
{
    json_t *piece = NULL;
    json_t *stream = json_object_get(client->given, "stream");
    json_t *body = json_pack("{sI sI sI si sO?}", "job", (json_int_t)id, "attempt", *attempt, "offset", *offset,
                             "limit", LOGS_PIECE, "stream", stream);
    int code = endpoint_call(endpoint, "logs", body, &piece, err);
    if (code)
        return code;
    json_int_t next = json_integer_value(json_object_get(piece, "next"));
    *more = next > *offset;
    *ended = json_is_true(json_object_get(piece, "ended"));
    *offset = next;
    *attempt = json_integer_value(json_object_get(piece, "attempt"));
    show_piece(client, id, piece);
    json_decref(piece);
    return 0;
}

int logs_run(struct client *client, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    json_int_t id = 0, attempt = given_int(client, "attempt"), offset = 0;
    bool follow = given_bool(client, "follow"), more = true, ended = false;
    int exit_code = client_id(client, &id, err);
    if (exit_code)
        return exit_code;
    int code = endpoint_open(&endpoint, client->state, err);
    while (!code && (more || (follow && !ended))) {
        if (!more)
            usleep(LOGS_PAUSE_US);
        code = logs_step(client, endpoint, id, &attempt, &offset, &more, &ended, err);
        if (follow && reconnect_fits(code))
            code = reconnect(endpoint, code, -1, err);
    }
    return exit_of(code);
}

/* What is for programs: --json has it. */
static bool is_for_programs(const char *name)
{
    size_t length = strlen(name);
    return strcmp(name, "directory") == 0 || (length > 3 && strcmp(name + length - 3, "_us") == 0);
}

/* "reason=the disk is full" for each member. */
static char *describe_context(const json_t *context)
{
    char *text = NULL;
    size_t size;
    const char *name;
    json_t *value;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        abort();
    json_object_foreach((json_t *)context, name, value)
    {
        CLEANUP(free_ptr)
        char *encoded = json_is_string(value)
                            ? NULL
                            : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
        if (!json_is_null(value) && !json_is_object(value) && !is_for_programs(name))
            fprintf(stream, "%s%s=%s", ftell(stream) > 0 ? ", " : "", name,
                    encoded ? encoded : json_string_value(value));
    }
    fclose(stream);
    return text;
}

static void show_event(const json_t *event)
{
    char when[CLOCK_TEXT_MAX];
    json_int_t attempt = json_integer_value(json_object_get(event, "attempt"));
    CLEANUP(free_ptr) char *context = describe_context(json_object_get(event, "context"));
    CLEANUP(free_ptr)
    char *suffix = attempt ? str_format("attempt %lld", (long long)attempt) : str_format("%s", "");
    CLEANUP(free_ptr) char *tail = str_format("%s%s%s", suffix, *suffix && *context ? ", " : "", context);
    CLEANUP(free_ptr)
    char *line =
        str_format("%s %6lld  job %-3lld  %-13s  ",
                   clock_format_utc(json_integer_value(json_object_get(event, "time_us")), when),
                   (long long)json_integer_value(json_object_get(event, "seq")),
                   (long long)json_integer_value(json_object_get(event, "job")), row_text(event, "name"));
    fputs(line, stdout);
    print_wrapped(stdout, tail, print_columns(line), 27, print_width());
    fflush(stdout);
}

/* Where `events` is: what was seen last is where a daemon that came back is asked to go on. */
struct reading {
    const struct client *client;
    struct endpoint *endpoint;
    json_int_t id;
    json_int_t seq;
    bool follow;
    int wake;
};

static int ask_events(const struct reading *reading, struct err *err)
{
    return endpoint_ask(reading->endpoint, "events",
                        json_pack("{sI sI sb}", "job", reading->id, "after_seq", reading->seq,
                                  "follow", reading->follow),
                        err);
}

static int read_event(struct reading *reading, bool *last, struct err *err)
{
    json_t *event = NULL;
    int code = endpoint_next(reading->endpoint, -1, &event, last, err);
    if (code == -EINTR && !follow_interrupted())
        return 0;
    if (!code && !*last) {
        reading->seq = json_integer_value(json_object_get(event, "seq"));
        if (reading->client->json)
            print_json(json_pack("{sO}", "event", event));
        else
            show_event(event);
    }
    json_decref(event);
    if (!reconnect_fits(code) || !reading->follow)
        return code;
    *last = false; /* it was the old daemon's */
    code = reconnect(reading->endpoint, code, reading->wake, err);
    return code ? code : ask_events(reading, err);
}

int events_run(struct client *client, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    struct reading reading = {
        .client = client, .seq = given_int(client, "after_seq"), .follow = given_bool(client, "follow")};
    bool last = false;
    int exit_code = client_id(client, &reading.id, err);
    if (exit_code)
        return exit_code;
    int code = endpoint_open(&endpoint, client->state, err);
    if (code)
        return exit_of(code);
    reading.endpoint = endpoint;
    reading.wake = follow_catch_interrupt();
    endpoint_wake_on(endpoint, reading.wake);
    code = ask_events(&reading, err);
    while (!code && !last)
        code = read_event(&reading, &last, err);
    if (code == -EINTR) { /* Ctrl-C ends it as it should */
        *err = (struct err){0};
        code = 0;
    }
    return exit_of(code);
}
