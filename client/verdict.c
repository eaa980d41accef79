/* See verdict.h, and the verb verdict. */
#include "client/verdict.h"
#include "client/client.h"
#include "client/endpoint.h"
#include "client/print.h"
#include "client/row.h"
#include "common/path.h"
#include "common/str.h"
#include "proto/json.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <string.h>

void verdict_print(const json_t *verdict, const char *name)
{
    const char *sentence = row_text(verdict, "sentence"), *report = row_text(verdict, "report");
    CLEANUP(free_ptr) char *title = str_format("verdict%s%s", name ? " " : "", name ? name : "");
    printf("%s: ", title);
    print_wrapped(stdout, *sentence ? sentence : row_text(verdict, "verdict"), print_columns(title) + 2, 2,
                  print_width());
    if (*report)
        puts(report);
}

static int answer_verdict(const struct client *client, json_t *verdict)
{
    int exit_code = strcmp(row_text(verdict, "verdict"), "representative") == 0 ? EXIT_DONE : EXIT_NEGATIVE;
    if (client->json)
        print_json(json_incref(verdict));
    else
        verdict_print(verdict, NULL);
    return exit_code;
}

/* DIRECTORY/verdict.json, or the only one a level below. */
static int find_file(const char *directory, char **path, struct err *err)
{
    glob_t found = {0};
    CLEANUP(free_ptr) char *here = path_join(directory, "verdict.json");
    CLEANUP(free_ptr) char *below = path_join(directory, "*/verdict.json");
    if (path_exists(here)) {
        *path = TAKE(here);
        return 0;
    }
    glob(below, GLOB_NOSORT, NULL, &found);
    int code = 0;
    if (found.gl_pathc == 1)
        *path = str_format("%s", found.gl_pathv[0]);
    else if (found.gl_pathc == 0)
        code = err_set(err, -ENOENT, "no verdict.json in %s or a directory in it", directory);
    else
        code = err_set(err, -EINVAL, "%s holds %zu verdicts; name one of their directories, like %s",
                       directory, found.gl_pathc, found.gl_pathv[0]);
    globfree(&found);
    return code;
}

static int verdict_of_directory(const struct client *client, const char *directory, struct err *err)
{
    CLEANUP(free_ptr) char *path = NULL;
    json_t *verdict = NULL;
    if (!path_is_directory(directory)) {
        err_set(err, -ENOENT, "%s is neither a job's id nor a directory", directory);
        return EXIT_USAGE;
    }
    if (find_file(directory, &path, err) != 0 || json_read_file(path, &verdict, err) != 0)
        return EXIT_USAGE;
    CLEANUP(free_ptr) char *folder = path_directory(path);
    CLEANUP(free_ptr) char *beside = path_join(folder, "report.html");
    CLEANUP(free_ptr) char *report = path_absolute(beside);
    int exit_code = EXIT_USAGE;
    if (!*row_text(verdict, "verdict")) {
        err_set(err, -EINVAL, "%s has no member \"verdict\"", path);
    } else {
        if (!*row_text(verdict, "report") && path_exists(report))
            json_object_set_new(verdict, "report", json_string(report));
        exit_code = answer_verdict(client, verdict);
    }
    json_decref(verdict);
    return exit_code;
}

static int verdict_of_job(const struct client *client, long id, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    json_t *answer = NULL;
    int code = endpoint_open(&endpoint, client->state, err);
    if (!code)
        code = endpoint_call(endpoint, "show", json_pack("{sI}", "job", (json_int_t)id), &answer, err);
    if (code)
        return exit_of(code);
    json_t *row = json_object_get(answer, "job"), *result = json_object_get(row, "result");
    int exit_code = EXIT_NEGATIVE;
    if (strcmp(row_text(row, "kind"), "evaluate") != 0) {
        err_set(err, -EINVAL, "job %ld is of kind %s; only evaluate gives a verdict", id,
                row_text(row, "kind"));
        exit_code = EXIT_USAGE;
    } else if (!*row_text(result, "verdict")) {
        err_set(err, -ENOENT, "job %ld has no verdict: it is %s%s%s", id, row_text(row, "state"),
                *row_text(row, "reason") ? ", " : "", row_text(row, "reason"));
    } else {
        exit_code = answer_verdict(client, result);
    }
    json_decref(answer);
    return exit_code;
}

int verdict_run(struct client *client, struct err *err)
{
    int64_t id;
    const char *word = client_word(client, 0);
    if (str_to_int(word, &id) && id > 0)
        return verdict_of_job(client, (long)id, err);
    return verdict_of_directory(client, word, err);
}
