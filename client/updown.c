/* up and down: a daemon's begin and end. decoyd goes to the background by itself: the process that we start
 * returns once it serves, or ends with one sentence on standard error. */
#include "client/client.h"
#include "client/endpoint.h"
#include "client/print.h"
#include "common/clock.h"
#include "common/path.h"
#include "common/program.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_S 60.0

enum { ARGUMENTS_MAX = 32 };

static double patience(const struct client *client)
{
    const json_t *given = json_object_get(client->given, "timeout");
    return given ? json_number_value(given) : PATIENCE_S;
}

/* decoyd beside this program, in the build tree, or by $PATH. */
static char *find_daemon(void)
{
    static const char *const PLACES[] = {"decoyd", "../daemon/decoyd"};
    char *found = program_beside(PLACES, sizeof PLACES / sizeof *PLACES);
    return found ? found : str_format("decoyd");
}

/* In the child: never returns. */
static void become_daemon(const char *program, const struct client *client, int said)
{
    const char *arguments[ARGUMENTS_MAX] = {"decoyd", "--state", client->state};
    size_t count = 3;
    const char *name;
    json_t *value;
    json_object_foreach(client->more, name, value)
    {
        const struct spec_field *field = spec_field_find(spec_daemon_options(), name, NULL);
        CLEANUP(free_ptr) char *flag = flag_name(field);
        CLEANUP(free_ptr) char *path = field->type == SPEC_OUTPUT ? path_absolute(json_string_value(value)) : NULL;
        if (count + 1 < ARGUMENTS_MAX)
            arguments[count++] = json_is_string(value)
                                     ? str_format("%s=%s", flag, path ? path : json_string_value(value))
                                     : str_format("%s=%.17g", flag, json_number_value(value));
    }
    arguments[count] = NULL;
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(said, STDOUT_FILENO);
    dup2(said, STDERR_FILENO);
    execvp(program, (char *const *)arguments);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", program, strerror(errno));
    _exit(127);
}

/* All that comes until the other end is closed or the time is up; text ends with a NUL. */
static int read_said(int fd, char *text, size_t size, double deadline_s, struct err *err)
{
    size_t used = 0;
    for (;;) {
        struct pollfd item = {fd, POLLIN, 0};
        double left_s = deadline_s - clock_monotonic_s();
        text[used] = '\0';
        if (poll(&item, 1, left_s > 0 ? (int)(1000 * left_s) + 1 : 0) == 0)
            return err_set(err, -ETIMEDOUT,
                           "decoyd does not serve yet; decoyd.log in its directory tells more");
        ssize_t got = read(fd, text + used, size - 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        used += (size_t)got;
    }
}

/* The last line of text, without the program's name. */
static const char *last_sentence(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '\n')
        text[--length] = '\0';
    const char *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    return strncmp(line, "decoyd: ", 8) == 0 ? line + 8 : line;
}

/* -ECHILD with what it said if it did not start. */
static int start_daemon(const struct client *client, struct err *err)
{
    CLEANUP(free_ptr) char *program = find_daemon();
    char said[1024];
    int ends[2], status = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        become_daemon(program, client, ends[1]);
    close(ends[1]);
    int code = pid < 0 ? err_set(err, -errno, "cannot start decoyd: %s", strerror(errno))
                       : read_said(ends[0], said, sizeof said, clock_monotonic_s() + patience(client), err);
    close(ends[0]);
    if (code)
        return code;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    const char *sentence = last_sentence(said);
    return err_set(err, -ECHILD, "decoyd did not start: %s",
                   *sentence ? sentence : "it ended without a word");
}

/* Connects to the daemon, after starting it where none serves. An exit code. */
static int open_started(struct client *client, struct endpoint **endpoint, bool *started, struct err *err)
{
    *started = false;
    if (client->state && !path_is_directory(client->state) && path_exists(client->state)) {
        err_set(err, -EINVAL, "`decoy %s` starts decoyd on this machine; %s is no directory of its state",
                client->verb->name, client->state);
        return EXIT_USAGE;
    }
    int code = endpoint_open(endpoint, client->state, err);
    if (code == -ENOTCONN) {
        int failed = start_daemon(client, err);
        *started = failed == 0;
        code = failed == -ETIMEDOUT ? failed : endpoint_open(endpoint, client->state, failed ? NULL : err);
        code = code && failed ? failed : code; /* another one may have been quicker: then all is well */
    }
    if (code)
        return code == -ECHILD ? EXIT_NO_DAEMON : exit_of(code);
    *err = (struct err){0};
    if (!*started && json_object_size(client->more))
        fprintf(stderr, "decoy: decoyd was up already: what it is told goes for its next start only\n");
    return EXIT_DONE;
}

int up_run(struct client *client, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    bool started;
    int exit_code = open_started(client, &endpoint, &started, err);
    if (exit_code)
        return exit_code;
    json_int_t pid = json_integer_value(json_object_get(endpoint_hello(endpoint), "pid"));
    const char *version = json_string_value(json_object_get(endpoint_hello(endpoint), "version"));
    if (client->json)
        print_json(json_pack("{sb sI ss? ss}", "started", started, "pid", pid, "version", version, "state",
                             client->state));
    else
        printf("decoyd %s %s, process %lld, state in %s\n", version ? version : "",
               started ? "is up" : "was up already", (long long)pid, client->state);
    return EXIT_DONE;
}

/* A daemon puts back by itself what ran when the one before it died: it only has to be started. */
int recover_run(struct client *client, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    json_t *status = NULL, *id;
    bool started;
    size_t i;
    int exit_code = open_started(client, &endpoint, &started, err);
    if (!exit_code)
        exit_code = exit_of(endpoint_call(endpoint, "status", json_object(), &status, err));
    if (exit_code)
        return exit_code;
    const json_t *ids = json_object_get(status, "recovered");
    if (client->json) {
        print_json(json_pack("{sb sO}", "started", started, "jobs", ids));
    } else if (json_array_size(ids) == 0) {
        puts("no job ran when the daemon before this one ended");
    } else {
        fputs("back in the queue, for they ran when the daemon before this one died:", stdout);
        json_array_foreach((json_t *)ids, i, id) printf(" %lld", (long long)json_integer_value(id));
        putchar('\n');
    }
    json_decref(status);
    return EXIT_DONE;
}

/* Until the process is gone. A process that nobody has waited for yet counts as gone. */
static int await_end(pid_t pid, int process, double patience_s, struct err *err)
{
    struct pollfd item = {process, POLLIN, 0};
    if (process < 0)
        return 0; /* it was gone before we looked */
    if (poll(&item, 1, (int)(1000 * patience_s)) == 1)
        return 0;
    return err_set(err, -ETIMEDOUT, "decoyd (process %d) has not ended yet; it waits for its jobs to stop",
                   pid);
}

/* Until a daemon on another host hangs up. */
static int await_silence(struct endpoint *endpoint, double patience_s, struct err *err)
{
    json_t *body = NULL;
    bool last;
    int code;
    while ((code = endpoint_next(endpoint, patience_s, &body, &last, err)) == 0)
        json_decref(body);
    return code == -ENOTCONN || code == -ESHUTDOWN ? 0 : code;
}

int down_run(struct client *client, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    CLEANUP(close_fd) int process = -1;
    json_t *answer = NULL;
    int code = endpoint_open(&endpoint, client->state, err);
    if (code)
        return exit_of(code);
    pid_t pid = (pid_t)json_integer_value(json_object_get(endpoint_hello(endpoint), "pid"));
    CLEANUP(free_ptr) char *state = str_format("%s", json_string_value(json_object_get(endpoint_hello(endpoint), "state")));
    process = pid > 0 && !endpoint_by_tcp(endpoint) ? pidfd_open(pid, 0) : -1;
    code = endpoint_call(endpoint, "shutdown", json_object(), &answer, err);
    json_decref(answer);
    if (code == -ENOTCONN) /* it ended before its answer was out */
        code = 0;
    if (!code)
        code = endpoint_by_tcp(endpoint) ? await_silence(endpoint, patience(client), err)
                                         : await_end(pid, process, patience(client), err);
    if (code)
        return exit_of(code);
    *err = (struct err){0};
    if (client->json)
        print_json(json_pack("{sb si}", "stopped", 1, "pid", (int)pid));
    else
        printf("decoyd, process %d, has ended; its queue is kept in %s\n", pid, state);
    return EXIT_DONE;
}
