/* The verbs that look at the whole: status and ls; and explain. */
#include "client/array.h"
#include "client/client.h"
#include "client/endpoint.h"
#include "client/print.h"
#include "client/row.h"
#include "client/tally.h"
#include "client/select.h"
#include "common/clock.h"
#include "common/str.h"

#include <errno.h>
#include <string.h>

static long member(const json_t *object, const char *name)
{
    return (long)json_number_value(json_object_get(object, name));
}

static void show_counts(const json_t *counts)
{
    const char *state;
    json_t *count;
    bool any = false;
    fputs("jobs   ", stdout);
    json_object_foreach((json_t *)counts, state, count)
    {
        if (json_integer_value(count) > 0)
            printf("%s %lld %s", any ? "," : "", (long long)json_integer_value(count), state);
        any = any || json_integer_value(count) > 0;
    }
    puts(any ? "" : " none");
}

static void show_hosts(const json_t *hosts)
{
    const json_t *host;
    size_t i;
    if (json_array_size(hosts) < 2)
        return;
    fputs("hosts   ", stdout);
    json_array_foreach((json_t *)hosts, i, host)
    {
        printf("%s%s ", i ? ", " : "", row_text(host, "name"));
        if (json_is_true(json_object_get(host, "lost")))
            fputs("lost", stdout);
        else
            printf("%ld of %ld", member(host, "used"), member(host, "slots"));
    }
    putchar('\n');
}

/* When the queue closes, where that is known. */
static void show_clock(const json_t *status)
{
    char closes[CLOCK_TEXT_MAX], end[CLOCK_TEXT_MAX], left[CLOCK_TEXT_MAX];
    int64_t closes_us = json_integer_value(json_object_get(status, "closes_us"));
    if (!closes_us)
        return;
    printf("clock   the queue closes at %s, in %s; the allocation ends at %s\n",
           clock_format_local(closes_us, closes),
           clock_format_span(1e-6 * (double)(closes_us - clock_realtime_us()), left),
           clock_format_local(json_integer_value(json_object_get(status, "until_us")), end));
}

/* Who may connect and how. A daemon of before says nothing of it. */
static void show_reach(const json_t *reach, const char *state)
{
    const char *address = json_string_value(json_object_get(reach, "address"));
    if (!reach)
        return;
    printf("reach   user %ld on its host", member(reach, "uid"));
    if (address)
        printf("; %ld key%s by %s, with `decoy --endpoint %s/endpoint.json`", member(reach, "keys"),
               member(reach, "keys") == 1 ? "" : "s", address, state);
    printf("; %ld refused\n", member(reach, "refused"));
}

static void show_status(const json_t *status)
{
    char span[CLOCK_TEXT_MAX];
    printf("decoyd  %s, process %ld on %s, up %s%s\n", row_text(status, "version"), member(status, "pid"),
           row_text(status, "host"),
           clock_format_span(json_number_value(json_object_get(status, "uptime_s")), span),
           json_is_true(json_object_get(status, "ending")) ? ", ending" : "");
    const json_t *drained = json_object_get(status, "drained");
    if (json_is_string(drained))
        printf("drained %s%sno job is started until `decoy resume`\n", json_string_value(drained),
               json_string_length(drained) ? "; " : "");
    printf("state   %s\n", row_text(status, "state"));
    printf("slots   %ld of %ld in use\n", member(status, "slots_used"), member(status, "slots"));
    show_hosts(json_object_get(status, "hosts"));
    show_clock(status);
    show_counts(json_object_get(status, "counts"));
    show_reach(json_object_get(status, "reach"), row_text(status, "state"));
}

int status_run(struct client *client, struct err *err)
{
    json_t *answer = NULL;
    bool metrics = json_is_true(json_object_get(client->given, "metrics"));
    int code = client_ask(client, metrics ? "prometheus" : "status", json_object(), &answer, err);
    if (!code && !client->json && metrics)
        fputs(row_text(answer, "text"), stdout);
    else if (!code && !client->json)
        show_status(answer);
    json_decref(answer);
    return exit_of(code);
}

/* How long a row's job has run or ran; "" where it does neither. */
static const char *describe_time(const json_t *row, char span[CLOCK_TEXT_MAX])
{
    *span = '\0';
    if (json_integer_value(json_object_get(row, "started_us")) && (row_is(row, "running") || row_ended(row)))
        print_span(row_span_s(row, clock_realtime_us()), span);
    return span;
}

static void list_row(struct table *table, const json_t *row)
{
    char span[CLOCK_TEXT_MAX];
    CLEANUP(free_ptr) char *id = array_row_ids(row);
    CLEANUP(free_ptr) char *progress = row_progress(row);
    CLEANUP(free_ptr) char *counts = array_row_counts(row);
    const char *last = *counts                    ? counts
                       : row_is(row, "running")   ? progress
                       : row_is(row, "succeeded") ? ""
                                                  : row_text(row, "reason");
    table_add(table, (const char *[]){id, row_text(row, "kind"), row_text(row, "name"), row_text(row, "group"),
                                      row_text(row, "state"), describe_time(row, span), last});
}

/* The members that the table shows: a tenth of what rows have. */
static json_t *shown_members(void)
{
    return json_pack("[ssssssssss]", "id", "kind", "name", "group", "state", "started_us", "ended_us",
                     "reason", "array", "progress");
}

/* Makes row the i-th of the answer, without what is null. A daemon that does not know `members` gives whole rows. */
static void fill_row(json_t *row, const json_t *answer, size_t i)
{
    const json_t *members = json_object_get(answer, "members"), *found = json_array_get(json_object_get(answer, "jobs"), i);
    json_t *cell;
    size_t j;
    json_object_clear(row);
    if (!members)
        json_object_update(row, (json_t *)found);
    json_array_foreach(members ? found : NULL, j, cell)
    {
        if (!json_is_null(cell))
            json_object_set_nocheck(row, json_string_value(json_array_get(members, j)), cell);
    }
}

/* Makes row that of the array whose first listed job is the i-th: of its jobs the first in the state of all. Returns the
 * index after its last one: an array's jobs stand together. */
static size_t fill_array(json_t *row, const json_t *answer, size_t i, const json_t *array)
{
    json_t *id = json_incref(json_object_get(row, "array")), *chosen = json_copy(row);
    size_t count = json_array_size(json_object_get(answer, "jobs"));
    bool found = row_is(row, array_state(array));
    for (i++; i < count; i++) {
        fill_row(row, answer, i);
        if (!json_equal(json_object_get(row, "array"), id))
            break;
        if (found || !row_is(row, array_state(array)))
            continue;
        found = true;
        json_object_clear(chosen);
        json_object_update(chosen, row);
    }
    json_object_clear(row);
    json_object_update(row, chosen);
    array_fold(row, array);
    json_decref(chosen);
    json_decref(id);
    return i;
}

static void list_answer(const json_t *answer, bool flat)
{
    static const struct table_column COLUMNS[] = {{"id", .right = true},   {"kind"},  {"name", .flex = true},
                                                  {"run", .flex = true},   {"state"}, {"time", .right = true},
                                                  {"detail", .flex = true}};
    CLEANUP(table_destroy_ptr) struct table *table = table_create(COLUMNS, sizeof COLUMNS / sizeof *COLUMNS);
    size_t count = json_array_size(json_object_get(answer, "jobs"));
    json_t *row = json_object(); /* one for all: there may be 10,000 */
    for (size_t i = 0; i < count;) {
        fill_row(row, answer, i);
        json_int_t id = json_integer_value(json_object_get(row, "array"));
        const json_t *array = id && !flat ? array_find(json_object_get(answer, "arrays"), id) : NULL;
        i = array ? fill_array(row, answer, i, array) : i + 1;
        list_row(table, row);
    }
    json_decref(row);
    CLEANUP(free_ptr) char *text = table_format(table, print_width());
    fputs(text, stdout);
}

int ls_run(struct client *client, struct err *err)
{
    json_t *answer = NULL;
    bool ended =
        json_object_get(client->more, "only") != NULL; /* a state is asked for by name, ended or not */
    bool all = json_is_true(json_object_get(client->given, "all")) || ended;
    json_t *body = select_body(client, all);
    if (!client->json)
        json_object_set_new(body, "members", shown_members());
    int code = client_ask(client, "list", body, &answer, err);
    const json_t *rows = json_object_get(answer, "jobs");
    if (!code && !client->json && json_array_size(rows))
        list_answer(answer, json_is_true(json_object_get(client->given, "flat")));
    else if (!code && !client->json)
        puts(json_object_size(client->more) ? "no such jobs"
             : all                          ? "no jobs"
                                            : "no jobs; `decoy ls --all` shows those that have ended");
    json_decref(answer);
    return exit_of(code);
}

int explain_run(struct client *client, struct err *err)
{
    json_t *answer = NULL;
    json_int_t id = 0;
    int exit_code = client_id(client, &id, err);
    if (exit_code)
        return exit_code;
    int code = client_ask(client, "explain", json_pack("{sI}", "job", id), &answer, err);
    if (!code && !client->json) {
        CLEANUP(free_ptr) char *line = str_format("job %lld: %s", (long long)id, row_text(answer, "text"));
        print_wrapped(stdout, line, 0, 2, print_width());
    }
    json_decref(answer);
    return exit_of(code);
}
