/* The verbs that change jobs, or the whole queue. Those of CHANGES ask for each job by itself and stop at the first
 * that is refused; the others change all or none. */
#include "client/client.h"
#include "client/endpoint.h"
#include "client/print.h"
#include "client/row.h"
#include "client/select.h"
#include "common/str.h"

#include <errno.h>
#include <string.h>

/* What a verb can be done to, where jobs are found by flags. */
static const struct {
    verb_run *run;
    const char *states;    /* NULL: any */
    const char *otherwise; /* the state meant without ids and flags; NULL: none */
} CHANGES[] = {
    {cancel_run, "held,waiting,ready,running", NULL},
    {hold_run, "waiting,ready", NULL},
    {release_run, "held", NULL},
    {priority_run, "held,waiting,ready,running", NULL},
    {checkpoint_run, "running", NULL},
    {retry_run, "failed,cancelled,skipped", "failed"},
    {rerun_run, "succeeded,failed,cancelled,skipped", NULL},
    {forget_run, "succeeded,failed,cancelled,skipped", NULL},
};

/* Opens the line and finds the jobs; *ids is a new reference. An exit code. */
static int begin(const struct client *client, struct endpoint **endpoint, json_t **ids, struct err *err)
{
    size_t i = 0;
    while (CHANGES[i].run != client->verb->run)
        i++;
    return select_ids(client, endpoint, CHANGES[i].states, CHANGES[i].otherwise, ids, err);
}

/* The reason goes along where one was given. Takes body. */
static json_t *with_reason(const struct client *client, json_t *body)
{
    json_t *reason = json_object_get(client->given, "reason");
    if (reason)
        json_object_set(body, "reason", reason);
    return body;
}

static void show_row(const struct client *client, const json_t *row)
{
    const char *state = row_text(row, "state");
    bool stopping = client->verb->run == cancel_run && row_is(row, "running");
    if (!client->json)
        printf("%4ld  %-14s  %s\n", row_id(row), row_label(row), stopping ? "stopping" : state);
}

static int finish(const struct client *client, json_t *rows, int exit_code)
{
    if (client->json && !exit_code)
        print_json(json_pack("{sO}", "jobs", rows));
    else if (!exit_code && json_array_size(rows) == 0)
        printf("no job to %s\n", client->verb->name);
    json_decref(rows);
    return exit_code;
}

/* Asks the verb of this name for each job; more goes into the bodies. */
static int change_each(struct client *client, const json_t *ids, struct endpoint *endpoint,
                       const json_t *more, struct err *err)
{
    json_t *rows = json_array(), *id;
    size_t i;
    int code = 0;
    json_array_foreach((json_t *)ids, i, id)
    {
        json_t *answer = NULL, *body = with_reason(client, json_pack("{sO}", "job", id));
        json_object_update(body, (json_t *)more);
        code = endpoint_call(endpoint, client->verb->name, body, &answer, err);
        if (code)
            break;
        show_row(client, json_object_get(answer, "job"));
        json_array_append(rows, json_object_get(answer, "job"));
        json_decref(answer);
    }
    return finish(client, rows, exit_of(code));
}

static int change(struct client *client, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    json_t *ids = NULL;
    int exit_code = begin(client, &endpoint, &ids, err);
    if (!exit_code)
        exit_code = change_each(client, ids, endpoint, NULL, err);
    json_decref(ids);
    return exit_code;
}

int cancel_run(struct client *client, struct err *err)
{
    return change(client, err);
}

int hold_run(struct client *client, struct err *err)
{
    return change(client, err);
}

int release_run(struct client *client, struct err *err)
{
    return change(client, err);
}

int checkpoint_run(struct client *client, struct err *err)
{
    return change(client, err);
}

/* `priority ID... N`: the last word is the number. */
int priority_run(struct client *client, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    const char *word = client_word(client, client_words(client) - 1);
    json_t *ids = NULL;
    int64_t priority;
    if (!str_to_int(word, &priority)) {
        err_set(err, -EINVAL, "%.60s is no priority: `decoy priority` takes ids and then a number", word);
        return EXIT_USAGE;
    }
    json_t *more = json_pack("{sI}", "priority", (json_int_t)priority);
    json_array_remove(client->flags.words, client_words(client) - 1);
    int exit_code = begin(client, &endpoint, &ids, err);
    if (!exit_code)
        exit_code = change_each(client, ids, endpoint, more, err);
    json_decref(more);
    json_decref(ids);
    return exit_code;
}

/* All jobs in one request; *answer is a new reference, NULL when there was none to ask for. An exit code. */
static int change_all(struct client *client, json_t **answer, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    json_t *ids = NULL;
    int exit_code = begin(client, &endpoint, &ids, err);
    if (!exit_code && json_array_size(ids))
        exit_code = exit_of(endpoint_call(endpoint, client->verb->name,
                                          with_reason(client, json_pack("{sO}", "jobs", ids)), answer, err));
    json_decref(ids);
    return exit_code;
}

static int again(struct client *client, struct err *err)
{
    json_t *answer = NULL, *row;
    size_t i;
    int exit_code = change_all(client, &answer, err);
    json_t *rows = json_object_get(answer, "jobs");
    rows = rows ? json_incref(rows) : json_array();
    json_array_foreach(rows, i, row) show_row(client, row);
    json_decref(answer);
    return finish(client, rows, exit_code);
}

int retry_run(struct client *client, struct err *err)
{
    return again(client, err);
}

int rerun_run(struct client *client, struct err *err)
{
    return again(client, err);
}

int forget_run(struct client *client, struct err *err)
{
    const json_t *older = json_object_get(client->given, "older");
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    json_t *answer = NULL;
    int exit_code;
    if (older && (client_words(client) || json_object_size(client->more))) {
        err_set(err, -EINVAL, "`decoy forget` takes --older or jobs, not both");
        return EXIT_USAGE;
    }
    if (older) {
        int code = endpoint_open(&endpoint, client->state, err);
        if (!code)
            code = endpoint_call(endpoint, "forget", json_pack("{sf}", "older_s", json_number_value(older)),
                                 &answer, err);
        exit_code = exit_of(code);
    } else {
        exit_code = change_all(client, &answer, err);
    }
    json_int_t count = json_integer_value(json_object_get(answer, "forgotten"));
    json_decref(answer);
    if (!exit_code && client->json)
        print_json(json_pack("{sI}", "forgotten", count));
    else if (!exit_code)
        printf("%lld job%s forgotten\n", (long long)count, count == 1 ? "" : "s");
    return exit_code;
}

/* drain and resume. */
static int switch_starting(struct client *client, const char *said, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    json_t *answer = NULL;
    int code = endpoint_open(&endpoint, client->state, err);
    if (!code)
        code = endpoint_call(endpoint, client->verb->name, with_reason(client, json_object()), &answer, err);
    if (!code && client->json)
        print_json(json_incref(answer));
    else if (!code)
        printf("%s; %lld running\n", said, (long long)json_integer_value(json_object_get(answer, "running")));
    json_decref(answer);
    return exit_of(code);
}

int drain_run(struct client *client, struct err *err)
{
    return switch_starting(client, "drained: no job is started until `decoy resume`", err);
}

int resume_run(struct client *client, struct err *err)
{
    return switch_starting(client, "jobs are started again", err);
}
