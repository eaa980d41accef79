/* The verbs that look: status, ls, explain and show. */
#include "client/array.h"
#include "client/client.h"
#include "client/dataset.h"
#include "client/endpoint.h"
#include "client/print.h"
#include "client/row.h"
#include "client/tally.h"
#include "client/select.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "proto/json.h"

#include <errno.h>
#include <string.h>

/* One question, one answer; with --json the answer is all. */
static int ask(const struct client *client, const char *verb, json_t *body, json_t **answer, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    int code = endpoint_open(&endpoint, client->state, err);
    if (code) {
        json_decref(body);
        return code;
    }
    code = endpoint_call(endpoint, verb, body, answer, err);
    if (!code && client->json)
        print_json(json_incref(*answer));
    return code;
}

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
    int code = ask(client, metrics ? "prometheus" : "status", json_object(), &answer, err);
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
    int code = ask(client, "list", body, &answer, err);
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

/* "name       value", wrapped. */
static void show_line(const char *name, const char *value)
{
    if (!*value)
        return;
    printf("%-12s", name);
    print_wrapped(stdout, value, 12, 12, print_width());
}

static void show_time(const char *name, const json_t *row, const char *field)
{
    char when[CLOCK_TEXT_MAX];
    json_int_t time_us = json_integer_value(json_object_get(row, field));
    show_line(name, time_us ? clock_format_utc(time_us, when) : "");
}

/* An object's members, two columns in; objects in it as JSON. */
static void show_members(const char *title, const json_t *object)
{
    const char *name;
    json_t *value;
    int width = 0;
    if (json_object_size(object) == 0)
        return;
    puts(title);
    json_object_foreach((json_t *)object, name, value) width =
        print_columns(name) > width ? print_columns(name) : width;
    json_object_foreach((json_t *)object, name, value)
    {
        if (json_is_null(value))
            continue;
        CLEANUP(free_ptr)
        char *text = json_is_string(value) ? str_format("%s", json_string_value(value))
                                           : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        printf("  %-*s  ", width, name);
        print_wrapped(stdout, text ? text : "", width + 4, width + 4, print_width());
    }
}

static void show_result(const json_t *result)
{
    CLEANUP(free_ptr) char *tally = tally_format(result, print_width());
    CLEANUP(free_ptr) char *dataset = dataset_format(result, print_width());
    if (dataset || tally)
        fputs(dataset ? dataset : tally, stdout);
    else
        show_members("result", result);
}

static void show_attempts(const json_t *attempts)
{
    static const struct table_column COLUMNS[] = {
        {"  attempt"}, {"outcome"}, {"time", .right = true}, {"exit"}, {"directory"}};
    size_t i;
    json_t *attempt;
    if (json_array_size(attempts) == 0)
        return;
    CLEANUP(table_destroy_ptr) struct table *table = table_create(COLUMNS, sizeof COLUMNS / sizeof *COLUMNS);
    json_array_foreach((json_t *)attempts, i, attempt)
    {
        char span[CLOCK_TEXT_MAX];
        const char *outcome = row_text(attempt, "outcome");
        CLEANUP(free_ptr) char *number = str_format("  %ld", member(attempt, "attempt"));
        CLEANUP(free_ptr)
        char *ended = member(attempt, "signal") ? str_format("signal %ld", member(attempt, "signal"))
                      : json_is_integer(json_object_get(attempt, "exit_status")) &&
                              json_integer_value(json_object_get(attempt, "ended_us"))
                          ? str_format("%ld", member(attempt, "exit_status"))
                          : str_format("%s", "");
        print_span(row_span_s(attempt, clock_realtime_us()), span);
        table_add(table, (const char *[]){number, *outcome ? outcome : "running", span, ended,
                                          row_text(attempt, "directory")});
    }
    CLEANUP(free_ptr) char *text = table_format(table, 0);
    fputs(text, stdout);
}

static void show_job(const json_t *row)
{
    CLEANUP(free_ptr)
    char *title = str_format("%ld, %s%s%s", row_id(row), row_text(row, "kind"),
                             *row_text(row, "name") ? " " : "", row_text(row, "name"));
    CLEANUP(free_ptr)
    char *size = str_format("%ld ranks x %ld threads, priority %ld", member(row, "ranks"),
                            member(row, "threads"), member(row, "priority"));
    CLEANUP(free_ptr) char *progress = row_progress(row);
    CLEANUP(free_ptr) char *after = print_ids(json_object_get(row, "after"));
    CLEANUP(free_ptr) char *after_any = print_ids(json_object_get(row, "after_any"));
    CLEANUP(free_ptr) char *state = row_outcome(row);
    show_line("job", title);
    show_line("run", row_text(row, "group"));
    show_line("state", row_ended(row) || *row_text(row, "reason") ? state : row_text(row, "state"));
    show_line("progress", progress);
    show_line("tag", row_text(row, "tag"));
    show_line("after", after);
    show_line("after any", after_any);
    show_line("size", size);
    show_time("submitted", row, "submitted_us");
    show_time("started", row, "started_us");
    show_time("ended", row, "ended_us");
    show_line("out", row_text(row, "out"));
    const json_t *spec = json_object_get(row, "spec"), *fields = json_object_get(spec, "fields");
    show_members("fields", fields ? fields : spec);
    show_members("metrics", json_object_get(row, "metrics"));
    show_result(json_object_get(row, "result"));
    show_attempts(json_object_get(row, "attempts"));
}

int explain_run(struct client *client, struct err *err)
{
    json_t *answer = NULL;
    json_int_t id = 0;
    int exit_code = client_id(client, &id, err);
    if (exit_code)
        return exit_code;
    int code = ask(client, "explain", json_pack("{sI}", "job", id), &answer, err);
    if (!code && !client->json) {
        CLEANUP(free_ptr) char *line = str_format("job %lld: %s", (long long)id, row_text(answer, "text"));
        print_wrapped(stdout, line, 0, 2, print_width());
    }
    json_decref(answer);
    return exit_of(code);
}

/* Where the time of a training's steps went (daemon/worker/train/tracing.c). */
static int show_training(const struct client *client, const char *path, struct err *err)
{
    enum { LIMIT = 1 << 20 };
    CLEANUP(free_ptr) char *text = NULL;
    size_t size;
    int code = file_read(path, LIMIT, &text, &size, err);
    if (!code && client->json)
        print_json(json_pack("{ss ss}", "layers", path, "text", text));
    else if (!code)
        fputs(text, stdout);
    return exit_of(code);
}

/* A dataset's directory, or a training's, needs no daemon. */
static int show_directory(const struct client *client, const char *directory, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "manifest.json");
    CLEANUP(free_ptr) char *layers = path_join(directory, "prof/layers.txt");
    json_t *manifest = NULL;
    if (!path_exists(path) && path_exists(layers))
        return show_training(client, layers, err);
    int code = path_exists(path)
                   ? json_read_file(path, &manifest, err)
                   : err_set(err, -ENOENT,
                             "%s is neither a finished dataset, it has no manifest.json, which "
                             "split writes last, nor a training whose steps were traced: it has no "
                             "prof/layers.txt",
                             directory);
    CLEANUP(free_ptr) char *text = dataset_format(manifest, print_width());
    if (!code && !text)
        code = err_set(err, -EINVAL, "%s is not the manifest of a dataset", path);
    if (!code && client->json)
        print_json(json_incref(manifest));
    else if (!code)
        fputs(text, stdout);
    json_decref(manifest);
    return exit_of(code);
}

int show_run(struct client *client, struct err *err)
{
    json_t *answer = NULL;
    json_int_t id = 0;
    const char *word = client_word(client, 0);
    int64_t number;
    if (!str_to_int(word, &number) && path_is_directory(word))
        return show_directory(client, word, err);
    if (!strchr("0123456789", *word)) {
        err_set(err, -EINVAL, "%.200s is neither a job's id nor a directory", word);
        return EXIT_USAGE;
    }
    int exit_code = client_id(client, &id, err);
    if (exit_code)
        return exit_code;
    int code = ask(client, "show", json_pack("{sI}", "job", id), &answer, err);
    if (!code && !client->json)
        show_job(json_object_get(answer, "job"));
    json_decref(answer);
    return exit_of(code);
}
