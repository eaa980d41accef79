/* The verb show: a job, a dataset, or where a training's time went. */
#include "client/client.h"
#include "client/dataset.h"
#include "client/print.h"
#include "client/row.h"
#include "client/tally.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "proto/json.h"

#include <errno.h>
#include <string.h>

static long member(const json_t *object, const char *name)
{
    return (long)json_number_value(json_object_get(object, name));
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
    int code = client_ask(client, "show", json_pack("{sI}", "job", id), &answer, err);
    if (!code && !client->json)
        show_job(json_object_get(answer, "job"));
    json_decref(answer);
    return exit_of(code);
}
