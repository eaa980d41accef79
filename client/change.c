/* The verbs that change jobs: cancel and release. */
#include "client/client.h"
#include "client/endpoint.h"
#include "client/print.h"
#include "client/row.h"

#include <string.h>

/* Asks `verb` for each of the words' jobs, stops at the first that is refused. */
static int change_jobs(struct client *client, const char *verb, const char *reason, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    json_t *ids = NULL, *rows = json_array();
    int exit_code = client_ids(client, 0, &ids, err);
    int code = exit_code ? 0 : endpoint_open(&endpoint, client->state, err);
    for (size_t i = 0; !exit_code && !code && i < json_array_size(ids); i++) {
        json_t *answer = NULL, *body = json_pack("{sO}", "job", json_array_get(ids, i));
        if (strcmp(verb, "cancel") == 0)
            json_object_set_new(body, "reason", reason ? json_string(reason) : json_null());
        code = endpoint_call(endpoint, verb, body, &answer, err);
        if (code)
            break;
        const json_t *row = json_object_get(answer, "job");
        if (!client->json)
            printf("%4ld  %-14s  %s\n", row_id(row), row_label(row),
                   row_is(row, "running") ? "stopping" : row_text(row, "state"));
        json_array_append(rows, (json_t *)row);
        json_decref(answer);
    }
    if (client->json && !exit_code && !code)
        print_json(json_pack("{sO}", "jobs", rows));
    json_decref(rows);
    json_decref(ids);
    return exit_code ? exit_code : exit_of(code);
}

int cancel_run(struct client *client, struct err *err)
{
    return change_jobs(client, "cancel", json_string_value(json_object_get(client->given, "reason")), err);
}

int release_run(struct client *client, struct err *err)
{
    return change_jobs(client, "release", NULL, err);
}
