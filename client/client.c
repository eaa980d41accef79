/* See client.h: from the arguments to a verb, and from its outcome to one sentence and an exit code. */
#include "client/client.h"
#include "client/help.h"
#include "client/print.h"
#include "client/select.h"
#include "common/path.h"
#include "common/str.h"
#include "proto/directory.h"

#include <errno.h>
#include <string.h>

enum { IDS_MAX = 10000 };

int exit_of(int code)
{
    switch (code) {
    case 0:
        return EXIT_DONE;
    case -ENOTCONN:
    case -ESHUTDOWN:
        return EXIT_NO_DAEMON;
    case -EREMOTEIO:
    case -EPROTO:
    case -EPERM:
        return EXIT_REFUSED;
    case -ETIMEDOUT:
        return EXIT_TIMEOUT;
    case -EINTR:
        return EXIT_DETACHED;
    default:
        return EXIT_USAGE;
    }
}

const char *client_word(const struct client *client, size_t i)
{
    return json_string_value(json_array_get(client->flags.words, i));
}

size_t client_words(const struct client *client)
{
    return json_array_size(client->flags.words);
}

/* "7" or "7-9". */
static bool read_ids(const char *word, int64_t *first, int64_t *last)
{
    const char *dash = strchr(word, '-');
    CLEANUP(free_ptr) char *head = strndup(word, dash ? (size_t)(dash - word) : strlen(word));
    *last = 0;
    if (!str_to_int(head, first) || (dash && !str_to_int(dash + 1, last)))
        return false;
    *last = dash ? *last : *first;
    return *first >= 1 && *last >= *first && *last - *first < IDS_MAX;
}

int client_ids(const struct client *client, size_t from, json_t **ids, struct err *err)
{
    json_t *found = json_array();
    for (size_t i = from; i < client_words(client); i++) {
        int64_t first, last;
        if (!read_ids(client_word(client, i), &first, &last)) {
            json_decref(found);
            err_set(err, -EINVAL,
                    "%.60s is not a job's id (a number, or a range like 7-9, as `decoy ls --all` shows it)",
                    client_word(client, i));
            return EXIT_USAGE;
        }
        for (int64_t id = first; id <= last; id++)
            json_array_append_new(found, json_integer(id));
    }
    *ids = found;
    return EXIT_DONE;
}

int client_id(const struct client *client, json_int_t *id, struct err *err)
{
    json_t *ids = NULL;
    int exit_code = client_ids(client, 0, &ids, err);
    if (!exit_code && json_array_size(ids) > 1) {
        err_set(err, -EINVAL, "`decoy %s` takes one job at a time, not %.60s", client->verb->name, client_word(client, 0));
        exit_code = EXIT_USAGE;
    }
    *id = json_integer_value(json_array_get(ids, 0));
    json_decref(ids);
    return exit_code;
}

int client_ask(const struct client *client, const char *verb, json_t *body, json_t **answer, struct err *err)
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

const struct spec_kind *client_more_flags(const struct verb *verb)
{
    return verb->run == up_run || verb->run == recover_run ? spec_daemon_options()
           : verb->selects                                 ? select_flags()
                                                           : NULL;
}

/* Sentence to standard error, and with --json an object to standard output. */
static int complain(const struct client *client, int exit_code, const struct err *err)
{
    static const char *const NAMES[] = {[EXIT_NEGATIVE] = "negative",
                                        [EXIT_USAGE] = "usage",
                                        [EXIT_NO_DAEMON] = "no_daemon",
                                        [EXIT_REFUSED] = "refused",
                                        [EXIT_TIMEOUT] = "timeout"};
    fflush(stdout);
    if (!*err->text)
        return exit_code;
    enum print_color color = exit_code == EXIT_DETACHED ? COLOR_NONE : COLOR_BAD;
    fprintf(stderr, "decoy: %s%s%s\n", print_color(stderr, color), err->text,
            print_color(stderr, COLOR_NONE));
    const char *name = exit_code >= 1 && exit_code <= EXIT_TIMEOUT ? NAMES[exit_code] : "detached";
    if (client->json)
        print_json(json_pack("{s{ss ss}}", "error", "code", name, "text", err->text));
    return exit_code;
}

static int check_words(const struct client *client, struct err *err)
{
    const struct verb *verb = client->verb;
    size_t count = client_words(client);
    if (count < verb->least)
        return err_set(err, -EINVAL, "`decoy %s` needs %s; see `decoy %s --help`", verb->name, verb->words,
                       verb->name);
    if (count > verb->most)
        return err_set(err, -EINVAL,
                       verb->most ? "%.60s is one word too many; `decoy %s` takes %s"
                                  : "%.60s is one word too many; `decoy %s` takes none%s",
                       client_word(client, verb->most), verb->name, verb->words);
    return 0;
}

/* All flags of the verb; a kind's come in at the kind's name. */
static int read_flags(struct client *client, int argc, char **argv, struct err *err)
{
    const struct verb *verb = client->verb;
    static char command[64];
    client->flags.command = command;
    client->given = verb->flags ? flags_add(&client->flags, verb->flags, verb->repeats) : NULL;
    snprintf(command, sizeof command, "decoy %s", verb->name);
    const struct spec_kind *more = client_more_flags(verb);
    client->more = more ? flags_add(&client->flags, more, NULL) : NULL;
    if (verb->run != submit_run)
        return flags_parse(&client->flags, argc, argv, false, err);
    flags_add(&client->flags, spec_job_options(), NULL);
    int taken = flags_parse(&client->flags, argc, argv, true, err);
    if (taken < 0 || client_words(client) == 0)
        return taken;
    const struct spec_kind *kind = spec_kind_find(client_word(client, 0), err);
    if (!kind)
        return -EINVAL;
    flags_add(&client->flags, kind, NULL);
    snprintf(command, sizeof command, "decoy submit %s", kind->name);
    return flags_parse(&client->flags, argc - taken, argv + taken, false, err);
}

static bool wants_help(const struct client *client)
{
    return json_is_true(json_object_get(client->flags.sets[0].values, "help"));
}

static int run_verb(struct client *client, int argc, char **argv, struct err *err)
{
    int code = read_flags(client, argc, argv, err);
    json_t *common = client->flags.sets[0].values;
    client->json = json_is_true(json_object_get(common, "json"));
    if (wants_help(client)) {
        if (client->flags.count == FLAG_SETS_MAX)
            help_kind(client->flags.sets[FLAG_SETS_MAX - 1].kind, client->verb);
        else
            help_verb(client->verb);
        *err = (struct err){0};
        return EXIT_DONE;
    }
    if (code < 0 || check_words(client, err) != 0)
        return EXIT_USAGE;
    const char *file = json_string_value(json_object_get(common, "endpoint")),
               *state = json_string_value(json_object_get(common, "state"));
    if (file && state) {
        err_set(err, -EINVAL, "--state and --endpoint name two daemons");
        return EXIT_USAGE;
    }
    if (file && (!path_exists(file) || path_is_directory(file))) {
        err_set(err, -EINVAL, "--endpoint: there is no file %s; `decoy up --listen IFACE` writes one", file);
        return EXIT_USAGE;
    }
    if (file)
        client->state = path_absolute(file);
    else
        directory_find(state, &client->state, NULL); /* verbs that need it say so */
    return client->verb->run(client, err);
}

/* Flags may stand before the verb: `decoy --state DIR ls`. */
static int run_words(struct client *client, int argc, char **argv, struct err *err)
{
    client->flags.command = "decoy";
    json_t *common = flags_add(&client->flags, help_common_flags(), NULL);
    int taken = flags_parse(&client->flags, argc, argv, true, err);
    client->json = json_is_true(json_object_get(common, "json"));
    if (taken < 0)
        return EXIT_USAGE;
    if (client_words(client) == 0) {
        help_usage(wants_help(client) ? stdout : stderr);
        return wants_help(client) ? EXIT_DONE : EXIT_USAGE;
    }
    CLEANUP(free_ptr) char *name = str_format("%s", client_word(client, 0));
    char hint[HINT_SIZE];
    client->verb = help_find_verb(name);
    if (!client->verb) {
        err_set(err, -EINVAL, "there is no verb %.60s%s", name, help_hint(name, hint));
        return EXIT_USAGE;
    }
    json_array_clear(client->flags.words);
    return run_verb(client, argc - taken, argv + taken, err);
}

int client_main(int argc, char **argv)
{
    struct client client = {0};
    struct err err = {0};
    int exit_code = complain(&client, run_words(&client, argc - 1, argv + 1, &err), &err);
    flags_clear(&client.flags);
    free(client.state);
    return exit_code;
}
