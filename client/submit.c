/* See submit.h, and the verb submit: a kind's flags become a job's fields. */
#include "client/submit.h"
#include "client/client.h"
#include "client/each.h"
#include "client/follow.h"
#include "client/help.h"
#include "client/print.h"
#include "client/row.h"
#include "common/path.h"

#include <errno.h>
#include <string.h>

enum { KEY_MAX = 64 };

/* How many ranks of a training have work: one for each of a batch's micro-batches. Fields that are wrong are the
 * daemon's to refuse. */
static json_int_t micro_batches(const json_t *fields)
{
    const struct spec_kind *kind = spec_kind_find("train", NULL);
    json_t *resolved = NULL;
    json_int_t count = 1;
    if (kind && spec_resolve(kind, (json_t *)fields, &resolved, NULL) == 0)
        count = (spec_int(resolved, "batch") - 1) / spec_int(resolved, "micro_batch") + 1;
    json_decref(resolved);
    return count;
}

static bool is_training(const json_t *job)
{
    const char *kind = json_string_value(json_object_get(job, "kind"));
    return kind && strcmp(kind, "train") == 0;
}

/* `max`: as many ranks as the daemon has slots for, with the threads that each is to have. A training that says
 * nothing of ranks: as many of them as have work. */
static int resolve_ranks(struct endpoint *endpoint, json_t *jobs, struct err *err)
{
    json_t *status = NULL, *job;
    size_t i;
    json_array_foreach(jobs, i, job)
    {
        json_t *options = json_object_get(job, "options"), *asked = json_object_get(options, "ranks");
        json_int_t threads = json_integer_value(json_object_get(options, "threads"));
        if (!json_is_string(asked) && (asked || !is_training(job)))
            continue;
        int code = status ? 0 : endpoint_call(endpoint, "status", json_object(), &status, err);
        if (code)
            return code;
        json_int_t ranks = json_integer_value(json_object_get(status, "slots")) / (threads > 0 ? threads : 1);
        json_int_t most = asked ? ranks : micro_batches(json_object_get(job, "fields"));
        ranks = ranks < most ? ranks : most;
        json_object_set_new(options, "ranks", json_integer(ranks > 0 ? ranks : 1));
    }
    json_decref(status);
    return 0;
}

int submit_jobs(struct endpoint *endpoint, json_t *jobs, json_t **ids, struct err *err)
{
    json_t *answer = NULL;
    int code = resolve_ranks(endpoint, jobs, err);
    if (!code)
        code = endpoint_call(endpoint, "submit", json_pack("{sO}", "jobs", jobs), &answer, err);
    if (code)
        return code;
    *ids = json_incref(json_object_get(answer, "ids"));
    json_decref(answer);
    if (json_array_size(*ids) == json_array_size(jobs))
        return 0;
    json_decref(*ids);
    return err_set(err, -EPROTO, "decoyd did not answer with an id for each job");
}

static int make_paths_absolute(const struct spec_kind *kind, json_t *fields, struct err *err)
{
    for (size_t i = 0; i < kind->count; i++) {
        const struct spec_field *field = &kind->fields[i];
        const char *text = json_string_value(json_object_get(fields, field->name));
        CLEANUP(free_ptr) char *flag = flag_name(field);
        if (!text && field->required)
            return err_set(err, -EINVAL, "%s needs %s %s: %s", kind->name, flag, help_value_word(field),
                           field->help);
        bool path = field->type == SPEC_INPUT || field->type == SPEC_OUTPUT ||
                    (field->type == SPEC_PRESET && text && strchr(text, '/'));
        if (!text || !path)
            continue;
        CLEANUP(free_ptr) char *absolute = path_absolute(text);
        json_t *value = json_string(absolute);
        if (!value)
            return err_set(err, -EINVAL, "%s: the path is not UTF-8", flag);
        json_object_set_new(fields, field->name, value);
    }
    return 0;
}

int submit_check_fields(const struct spec_kind *kind, json_t *fields, struct err *err)
{
    json_t *resolved = NULL;
    int code = make_paths_absolute(kind, fields, err);
    if (!code)
        code = spec_resolve(kind, fields, &resolved, err);
    json_decref(resolved);
    return code;
}

static json_t *given(const struct client *client, const char *name)
{
    return json_object_get(client->given, name);
}

static json_t *list_of(json_t *array)
{
    return array ? json_incref(array) : json_array();
}

/* The JOB of the command line, its fields not checked yet. */
static json_t *make_job(const struct client *client)
{
    const struct flag_set *options = &client->flags.sets[2], *fields = &client->flags.sets[3];
    json_t *key = given(client, "key"), *any = given(client, "after_any");
    json_t *job = json_pack("{ss sO sO sO so sn}", "kind", fields->kind->name, "fields", fields->values,
                            "options", options->values, "key", key ? key : json_null(), "after",
                            list_of(given(client, "after")), "group");
    if (any)
        json_object_set(job, "after_any", any);
    return job;
}

/* Every job's fields and options, as the daemon will. */
static int check_jobs(const struct client *client, const json_t *jobs, struct err *err)
{
    const struct spec_kind *kind = client->flags.sets[3].kind;
    json_t *job;
    size_t i;
    json_array_foreach((json_t *)jobs, i, job)
    {
        int code = submit_check_fields(kind, json_object_get(job, "fields"), err);
        if (!code && json_string_length(json_object_get(job, "key")) > KEY_MAX)
            code = err_set(err, -EINVAL, "--key has more than %d characters", KEY_MAX);
        if (code)
            return code;
    }
    return 0;
}

/* One job, or with --each many; *jobs is a new reference. */
static int make_jobs(const struct client *client, json_t **jobs, struct err *err)
{
    const char *path = json_string_value(given(client, "each"));
    json_t *per = given(client, "per"), *job = make_job(client);
    int code = 0;
    *jobs = NULL;
    if (per && !path) {
        code = err_set(err, -EINVAL, "--per says how many lines of --each FILE make a job");
    } else if (path) {
        CLEANUP(free_ptr) char *absolute = path_absolute(path);
        code = each_jobs(job, absolute, (long)json_integer_value(per), jobs, err);
    } else {
        *jobs = json_pack("[O]", job);
    }
    json_decref(job);
    return code ? code : check_jobs(client, *jobs, err);
}

/* Waits if asked to; *rows are the jobs' last states then, a new reference. */
static int follow_ids(const struct client *client, struct endpoint *endpoint, const json_t *ids,
                      json_t **rows, struct err *err)
{
    bool follow = json_is_true(given(client, "follow")), wait = json_is_true(given(client, "wait"));
    json_t *row;
    size_t i;
    if (!follow && !wait)
        return EXIT_DONE;
    int code =
        follow_jobs(endpoint, ids, follow && !client->json ? FOLLOW_SHOWN : FOLLOW_SILENT, -1, rows, err);
    int exit_code = code ? exit_of(code) : follow_exit(*rows);
    json_array_foreach(*rows, i, row)
    {
        if (!code && exit_code == EXIT_NEGATIVE && !follow && !client->json && !row_is(row, "succeeded"))
            err_set(err, -ECHILD, "job %ld %s: %s", row_id(row), row_text(row, "state"),
                    row_text(row, "reason"));
    }
    return exit_code;
}

/* "7", or "7-9" for an array; with a key the ids may be those of several submits. */
static void show_ids(const json_t *ids)
{
    CLEANUP(free_ptr) char *text = print_ids(ids);
    puts(text);
    fflush(stdout);
}

static json_t *answer_of(const json_t *ids, const json_t *rows)
{
    json_t *answer = json_pack("{sO sO*}", "id", json_array_get(ids, 0), "job", json_array_get(rows, 0));
    if (json_array_size(ids) == 1)
        return answer;
    json_object_del(answer, "job");
    json_object_set(answer, "ids", (json_t *)ids);
    if (rows)
        json_object_set(answer, "jobs", (json_t *)rows);
    return answer;
}

int submit_run(struct client *client, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    json_t *ids = NULL, *rows = NULL, *jobs = NULL;
    if (make_jobs(client, &jobs, err) != 0) {
        json_decref(jobs);
        return EXIT_USAGE;
    }
    int code = endpoint_open(&endpoint, client->state, err);
    if (!code)
        code = submit_jobs(endpoint, jobs, &ids, err);
    json_decref(jobs);
    if (code)
        return exit_of(code);
    if (!client->json)
        show_ids(ids);
    int exit_code = follow_ids(client, endpoint, ids, &rows, err);
    if (client->json && !*err->text)
        print_json(answer_of(ids, rows));
    json_decref(ids);
    json_decref(rows);
    return exit_code;
}
