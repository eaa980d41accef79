/* The verb sweep. DIR/sweep.json lists the trials; their jobs are in DIR/TRIAL-train and DIR/TRIAL-valid. */
#define XXH_INLINE_ALL
#include "client/sweep.h"
#include "client/follow.h"
#include "client/pipeline.h"
#include "client/print.h"
#include "client/run.h"
#include "common/path.h"
#include "common/str.h"
#include "proto/json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

static const json_t *given(const struct client *client, const char *name)
{
    return json_object_get(client->given, name);
}

/* The jobs' rows, as far as a daemon that answers knows them; else an empty array. */
static json_t *ask_rows(const struct client *client, const char *directory)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    CLEANUP(free_ptr) char *path = path_join(directory, "sweep.json");
    json_t *file = NULL, *answer = NULL;
    struct err none = {0};
    int code = json_read_file(path, &file, &none);
    if (!code)
        code = endpoint_open(&endpoint, client->state, &none);
    if (!code)
        code = endpoint_call(endpoint, "list",
                             json_pack("{sb sO?}", "all", 1, "group", json_object_get(file, "name")), &answer,
                             &none);
    json_t *rows = code ? json_array() : json_incref(json_object_get(answer, "jobs"));
    json_decref(answer);
    json_decref(file);
    return rows;
}

static int show_results(const struct client *client, const char *directory, struct err *err)
{
    CLEANUP(free_ptr) char *absolute = path_absolute(directory);
    json_t *rows = ask_rows(client, absolute), *results = NULL;
    int code = sweep_results(absolute, rows, &results, err);
    json_decref(rows);
    if (code)
        return exit_of(code);
    CLEANUP(free_ptr) char *table = sweep_format(results, print_width());
    if (client->json)
        print_json(json_incref(results));
    else
        fputs(table, stdout);
    json_decref(results);
    return EXIT_DONE;
}

/* Keys hold for a directory: the same trials elsewhere are other jobs. */
static int plan_jobs(const struct sweep *sweep, struct run *run, struct pipeline **pipeline, json_t **trials,
                     struct err *err)
{
    json_t *document = NULL;
    char key[32];
    snprintf(key, sizeof key, "sweep-%016" PRIx64,
             (uint64_t)XXH3_64bits(run->directory, strlen(run->directory)));
    int code = sweep_plan(sweep, run->directory, &document, trials, err);
    if (!code)
        code = pipeline_from_json(pipeline, sweep->path, document, err);
    if (!code)
        code = pipeline_plan(*pipeline, run->directory, key, &run->plan, err);
    json_decref(document);
    run->name = sweep->name;
    return code;
}

static int publish_trials(const struct sweep *sweep, const char *directory, json_t *trials, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "sweep.json");
    CLEANUP(free_ptr) char *file = path_absolute(sweep->path);
    json_t *varied = json_array();
    for (size_t v = 0; v < sweep->vary_count; v++)
        json_array_append_new(varied, json_string(sweep->vary[v].name));
    json_t *all = json_pack("{si ss ss sO so sO}", "v", 1, "name", sweep->name, "file", file, "dataset",
                            json_object_get(sweep->fields, "dataset"), "varied", varied, "trials", trials);
    int code =
        all ? path_make_directories(directory, 0777, err) : err_set(err, -EINVAL, "%s is not UTF-8", file);
    if (!code)
        code = json_publish_file(path, all, err);
    json_decref(all);
    return code;
}

static int submit_and_show(const struct client *client, const struct sweep *sweep, struct run *run,
                           json_t *trials, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    int exit_code = run_submit(client, run, &endpoint, err);
    if (exit_code)
        return exit_code;
    if (publish_trials(sweep, run->directory, trials, err) != 0)
        return EXIT_USAGE;
    if (json_is_true(given(client, "detach"))) {
        if (!client->json)
            printf("`decoy sweep results %s` shows the table\n", run->directory);
        return run_detach(client, run);
    }
    exit_code = run_follow(client, run, endpoint, err);
    if (!exit_code)
        exit_code = show_results(client, run->directory, err);
    if (!exit_code && !client->json)
        run_tell_failures(run);
    return exit_code ? exit_code : follow_exit(run->rows);
}

static int run_file(const struct client *client, struct err *err)
{
    CLEANUP(sweep_destroy_ptr) struct sweep *sweep = NULL;
    CLEANUP(pipeline_destroy_ptr) struct pipeline *pipeline = NULL;
    CLEANUP(free_ptr) char *path = NULL;
    struct run run = {0};
    json_t *trials = NULL;
    int code = run_find_file("sweeps", client_word(client, 0), &path, err);
    if (!code)
        code = sweep_read(&sweep, path, given(client, "set"), err);
    if (code)
        return exit_of(code);
    const char *asked = json_string_value(given(client, "dir"));
    CLEANUP(free_ptr) char *directory = asked ? str_format("%s", asked) : str_format("%s-sweep", sweep->name);
    run.directory = path_absolute(directory);
    int exit_code = EXIT_USAGE;
    if (plan_jobs(sweep, &run, &pipeline, &trials, err) == 0)
        exit_code = submit_and_show(client, sweep, &run, trials, err);
    json_decref(trials);
    run_close(&run);
    return exit_code;
}

int sweep_run(struct client *client, struct err *err)
{
    bool results = strcmp(client_word(client, 0), "results") == 0;
    if (results != (client_words(client) == 2)) {
        err_set(err, -EINVAL,
                results ? "`decoy sweep results` needs the directory of a sweep"
                        : "`decoy sweep` takes one file, or results and a directory");
        return EXIT_USAGE;
    }
    return results ? show_results(client, client_word(client, 1), err) : run_file(client, err);
}
