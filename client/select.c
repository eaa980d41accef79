/* See select.h. */
#include "client/select.h"
#include "client/row.h"
#include "common/str.h"
#include "proto/message.h"

#include <errno.h>
#include <string.h>

static const struct spec_field FIELDS[] = {
    {"tag", SPEC_TEXT, .help = "only jobs with this tag"},
    {"name", SPEC_TEXT, .help = "only jobs of this name; * and ? stand for any letters"},
    {"group", SPEC_TEXT, .help = "only the jobs of this run"},
    {"only", SPEC_CHOICE, .choices = "held|waiting|ready|running|succeeded|failed|cancelled|skipped",
     .help = "only jobs in this state"},
};
static const struct spec_kind SELECT = {"select", "", FIELDS, sizeof FIELDS / sizeof *FIELDS};

const struct spec_kind *select_flags(void)
{
    return &SELECT;
}

json_t *select_body(const struct client *client, bool all)
{
    json_t *body = json_pack("{sb}", "all", all);
    for (size_t i = 0; i < SELECT.count; i++) {
        json_t *value = json_object_get(client->more, FIELDS[i].name);
        const char *name =
            strcmp(FIELDS[i].name, "only") == 0 ? "state" : FIELDS[i].name; /* --state is a directory */
        json_object_set(body, name, value ? value : json_null());
    }
    return body;
}

static int find_jobs(const struct client *client, struct endpoint *endpoint, const char *states,
                     const char *otherwise, json_t *ids, struct err *err)
{
    json_t *answer = NULL, *row, *body = select_body(client, true);
    size_t i;
    if (json_object_size(client->more) == 0)
        json_object_set_new(body, "state", json_string(otherwise));
    int code = endpoint_call(endpoint, "list", body, &answer, err);
    json_array_foreach(json_object_get(answer, "jobs"), i, row)
    {
        if (!states || message_has_tag(states, row_text(row, "state")))
            json_array_append(ids, json_object_get(row, "id"));
    }
    json_decref(answer);
    return exit_of(code);
}

static int check_choice(const struct client *client, const char *otherwise, struct err *err)
{
    bool words = client_words(client) > 0, flags = json_object_size(client->more) > 0;
    const char *verb = client->verb->name;
    if (words && flags)
        return err_set(err, -EINVAL, "`decoy %s` takes ids or --tag, --name, --group and --only, not both",
                       verb);
    if (!words && !flags && !otherwise)
        return err_set(err, -EINVAL,
                       "`decoy %s` needs ids, or --tag, --name, --group or --only to find the jobs by", verb);
    return 0;
}

int select_ids(const struct client *client, struct endpoint **endpoint, const char *states,
               const char *otherwise, json_t **ids, struct err *err)
{
    if (check_choice(client, otherwise, err) != 0)
        return EXIT_USAGE;
    int exit_code = client_ids(client, 0, ids, err);
    if (!exit_code)
        exit_code = exit_of(endpoint_open(endpoint, client->state, err));
    if (!exit_code && client_words(client) == 0)
        exit_code = find_jobs(client, *endpoint, states, otherwise, *ids, err);
    return exit_code;
}
