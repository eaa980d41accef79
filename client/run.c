/* See run.h, and the verb run: a pipeline file submitted at once, then followed to its verdict. */
#include "client/run.h"
#include "client/endpoint.h"
#include "client/follow.h"
#include "client/pipeline.h"
#include "client/print.h"
#include "client/row.h"
#include "client/submit.h"
#include "client/verdict.h"
#include "client/view.h"
#include "common/path.h"
#include "common/preset.h"
#include "common/str.h"

#include <errno.h>
#include <string.h>

static const char *given(const struct client *client, const char *name)
{
    return json_string_value(json_object_get(client->given, name));
}

static bool asked(const struct client *client, const char *name)
{
    return json_is_true(json_object_get(client->given, name));
}

int run_find_file(const char *folder, const char *word, char **path, struct err *err)
{
    size_t length = strlen(word);
    bool file = strchr(word, '/') || (length > 5 && strcmp(word + length - 5, ".yaml") == 0);
    if (!file)
        return preset_find(folder, word, path, err);
    *path = str_format("%s", word);
    return 0;
}

static int apply_settings(const struct client *client, struct pipeline *pipeline, struct err *err)
{
    size_t i;
    json_t *setting;
    json_array_foreach(json_object_get(client->given, "set"), i, setting)
    {
        int code = pipeline_set(pipeline, json_string_value(setting), err);
        if (code)
            return code;
    }
    return 0;
}

/* The jobs of the file with the command line's settings. */
static int plan_run(const struct client *client, struct run *run, struct pipeline **pipeline, struct err *err)
{
    CLEANUP(free_ptr) char *path = NULL;
    const char *key = given(client, "key");
    if (key && strlen(key) > PIPELINE_KEY_MAX)
        return err_set(err, -EINVAL, "--key has more than %d characters", PIPELINE_KEY_MAX);
    int code = run_find_file("pipelines", client_word(client, 0), &path, err);
    if (!code)
        code = pipeline_read(pipeline, path, err);
    if (!code)
        code = apply_settings(client, *pipeline, err);
    if (code)
        return code;
    run->name = pipeline_name(*pipeline);
    CLEANUP(free_ptr)
    char *directory =
        given(client, "dir") ? str_format("%s", given(client, "dir")) : str_format("%s-run", run->name);
    run->directory = path_absolute(directory);
    return pipeline_plan(*pipeline, run->directory, key, &run->plan, err);
}

static json_t *ids_by_stage(const struct run *run)
{
    json_t *object = json_object(), *stage;
    size_t i;
    json_array_foreach(json_object_get(run->plan, "stages"), i, stage)
        json_object_set(object, json_string_value(stage), json_array_get(run->ids, i));
    return object;
}

/* "7 jobs, 1 to 7" or the list when other jobs came between. */
static void announce(const struct run *run)
{
    size_t count = json_array_size(run->ids);
    json_int_t first = json_integer_value(json_array_get(run->ids, 0)),
               last = json_integer_value(json_array_get(run->ids, count - 1));
    CLEANUP(free_ptr)
    char *line = str_format("%s: %zu job%s, %lld to %lld, in %s", run->name, count, count == 1 ? "" : "s",
                            (long long)first, (long long)last, run->directory);
    print_wrapped(stdout, line, 0, 2, print_width());
    fflush(stdout);
}

static void announce_detached(const struct run *run)
{
    CLEANUP(free_ptr) char *ids = print_ids(run->ids);
    printf("come back with `decoy watch %s`\n", ids);
}

/* The results of the evaluate jobs. */
static json_t *verdicts_of(const struct run *run)
{
    json_t *verdicts = json_array(), *row;
    size_t i;
    json_array_foreach(run->rows, i, row)
    {
        json_t *result = json_object_get(row, "result");
        if (strcmp(row_text(row, "kind"), "evaluate") == 0 && row_is(row, "succeeded") &&
            json_is_object(result))
            json_array_append_new(verdicts, json_pack("{sO sO}", "stage",
                                                      json_array_get(json_object_get(run->plan, "stages"), i),
                                                      "result", result));
    }
    return verdicts;
}

void run_tell_failures(const struct run *run)
{
    size_t i;
    json_t *row;
    json_array_foreach(run->rows, i, row)
    {
        if (row_is(row, "failed"))
            printf("`decoy logs %ld` shows what %s wrote\n", row_id(row), row_label(row));
    }
}

static void finish(const struct client *client, const struct run *run)
{
    json_t *verdicts = verdicts_of(run), *verdict, *row;
    size_t i;
    if (client->json) {
        print_json(json_pack("{ss ss so sO so}", "group", run->name, "directory", run->directory, "ids",
                             ids_by_stage(run), "jobs", run->rows, "verdicts", verdicts));
        return;
    }
    json_array_foreach(run->rows, i, row)
    {
        if (asked(client, "wait"))
            view_line(row);
    }
    run_tell_failures(run);
    json_array_foreach(verdicts, i, verdict)
        verdict_print(json_object_get(verdict, "result"),
                      json_array_size(verdicts) > 1 ? row_text(verdict, "stage") : NULL);
    json_decref(verdicts);
}

int run_submit(const struct client *client, struct run *run, struct endpoint **endpoint, struct err *err)
{
    int code = endpoint_open(endpoint, client->state, err);
    if (!code)
        code = submit_jobs(*endpoint, json_object_get(run->plan, "jobs"), &run->ids, err);
    if (!code && !client->json)
        announce(run);
    return exit_of(code);
}

int run_detach(const struct client *client, const struct run *run)
{
    if (client->json)
        print_json(json_pack("{ss ss so}", "group", run->name, "directory", run->directory, "ids",
                             ids_by_stage(run)));
    else
        announce_detached(run);
    return EXIT_DONE;
}

int run_follow(const struct client *client, struct run *run, struct endpoint *endpoint, struct err *err)
{
    bool silent = client->json || asked(client, "wait");
    int code = follow_jobs(endpoint, run->ids, silent ? FOLLOW_SILENT : FOLLOW_SHOWN, -1, &run->rows, err);
    return exit_of(code);
}

void run_close(struct run *run)
{
    json_decref(run->plan);
    json_decref(run->ids);
    json_decref(run->rows);
    free(run->directory);
}

static int submit_and_follow(const struct client *client, struct run *run, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    int exit_code = run_submit(client, run, &endpoint, err);
    if (exit_code)
        return exit_code;
    if (asked(client, "detach"))
        return run_detach(client, run);
    exit_code = run_follow(client, run, endpoint, err);
    if (exit_code)
        return exit_code;
    finish(client, run);
    return follow_exit(run->rows);
}

int run_run(struct client *client, struct err *err)
{
    CLEANUP(pipeline_destroy_ptr) struct pipeline *pipeline = NULL;
    struct run run = {0};
    int exit_code = EXIT_USAGE;
    if (plan_run(client, &run, &pipeline, err) == 0)
        exit_code = submit_and_follow(client, &run, err);
    run_close(&run);
    return exit_code;
}
