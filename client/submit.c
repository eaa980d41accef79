/* See submit.h, and the verb submit: a kind's flags become a job's fields. */
#include "client/submit.h"
#include "client/client.h"
#include "client/follow.h"
#include "client/help.h"
#include "client/print.h"
#include "client/row.h"
#include "common/path.h"

#include <errno.h>
#include <string.h>

enum { KEY_MAX = 64 };

/* As many ranks as the daemon has slots for, with the threads that each is to have. */
static int resolve_ranks(struct endpoint *endpoint, json_t *jobs, struct err *err)
{
    json_t *status = NULL, *job;
    size_t i;
    json_array_foreach(jobs, i, job)
    {
        json_t *options = json_object_get(job, "options");
        json_int_t threads = json_integer_value(json_object_get(options, "threads"));
        if (!json_is_string(json_object_get(options, "ranks")))
            continue;
        int code = status ? 0 : endpoint_call(endpoint, "status", json_object(), &status, err);
        if (code)
            return code;
        json_int_t ranks = json_integer_value(json_object_get(status, "slots")) / (threads > 0 ? threads : 1);
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

/* The JOB of the command line, or NULL and a sentence. */
static json_t *make_job(struct client *client, struct err *err)
{
    const struct flag_set *options = &client->flags.sets[2], *fields = &client->flags.sets[3];
    json_t *key = json_object_get(client->given, "key"), *after = json_object_get(client->given, "after");
    if (submit_check_fields(fields->kind, fields->values, err) != 0)
        return NULL;
    if (json_string_length(key) > KEY_MAX) {
        err_set(err, -EINVAL, "--key has more than %d characters", KEY_MAX);
        return NULL;
    }
    return json_pack("{ss sO sO sO so sn}", "kind", fields->kind->name, "fields", fields->values, "options",
                     options->values, "key", key ? key : json_null(), "after",
                     after ? json_incref(after) : json_array(), "group");
}

/* Waits if asked to; *row is the job's last state then, a new reference. */
static int follow_job(const struct client *client, struct endpoint *endpoint, const json_t *ids, json_t **row,
                      struct err *err)
{
    bool follow = json_is_true(json_object_get(client->given, "follow")),
         wait = json_is_true(json_object_get(client->given, "wait"));
    json_t *rows = NULL;
    if (!follow && !wait)
        return EXIT_DONE;
    int code =
        follow_jobs(endpoint, ids, follow && !client->json ? FOLLOW_SHOWN : FOLLOW_SILENT, -1, &rows, err);
    int exit_code = code ? exit_of(code) : follow_exit(rows);
    *row = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    if (!code && exit_code == EXIT_NEGATIVE && !follow && !client->json)
        err_set(err, -ECHILD, "job %ld %s: %s", row_id(*row), row_text(*row, "state"),
                row_text(*row, "reason"));
    return exit_code;
}

int submit_run(struct client *client, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    json_t *ids = NULL, *row = NULL, *job = make_job(client, err);
    if (!job)
        return EXIT_USAGE;
    json_t *jobs = json_pack("[o]", job);
    int code = endpoint_open(&endpoint, client->state, err);
    if (!code)
        code = submit_jobs(endpoint, jobs, &ids, err);
    json_decref(jobs);
    if (code)
        return exit_of(code);
    if (!client->json) {
        printf("%lld\n", (long long)json_integer_value(json_array_get(ids, 0)));
        fflush(stdout);
    }
    int exit_code = follow_job(client, endpoint, ids, &row, err);
    if (client->json && !*err->text)
        print_json(json_pack("{sO sO*}", "id", json_array_get(ids, 0), "job", row));
    json_decref(ids);
    json_decref(row);
    return exit_code;
}
