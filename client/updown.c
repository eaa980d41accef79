/* up and down: a daemon's begin and end. The daemon is a child of its own session, which outlives decoy; what
 * it says goes to decoyd.log in its directory. */
#include "client/client.h"
#include "client/endpoint.h"
#include "client/print.h"
#include "common/clock.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_S 60.0
#define PAUSE_US   20000

static double patience(const struct client *client)
{
    const json_t *given = json_object_get(client->given, "timeout");
    return given ? json_number_value(given) : PATIENCE_S;
}

/* decoyd beside this program, in the build tree, or by $PATH. */
static char *find_daemon(void)
{
    static const char *const PLACES[] = {"decoyd", "../daemon/decoyd"};
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    CLEANUP(free_ptr) char *here = path_directory(self);
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        CLEANUP(free_ptr) char *path = path_join(here, PLACES[i]);
        if (access(path, X_OK) == 0)
            return TAKE(path);
    }
    return str_format("decoyd");
}

/* In the child: never returns. */
static void become_daemon(const char *program, const char *state, int log)
{
    int null = open("/dev/null", O_RDONLY);
    const char *const arguments[] = {"decoyd", "--state", state, "--foreground", NULL};
    setsid();
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execvp(program, (char *const *)arguments);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", program, strerror(errno));
    _exit(127);
}

static int start_daemon(const char *state, int log, pid_t *pid, struct err *err)
{
    CLEANUP(free_ptr) char *program = find_daemon();
    *pid = fork();
    if (*pid < 0)
        return err_set(err, -errno, "cannot start decoyd: %s", strerror(errno));
    if (*pid == 0)
        become_daemon(program, state, log);
    return 0;
}

/* The last line that the log got since it had `from` bytes. */
static int daemon_failed(int log, const char *path, off_t from, struct err *err)
{
    char text[2048];
    off_t end = lseek(log, 0, SEEK_END);
    off_t start = end - from > (off_t)sizeof text - 1 ? end - (off_t)sizeof text + 1 : from;
    ssize_t length = pread(log, text, sizeof text - 1, start);
    length = length < 0 ? 0 : length;
    while (length > 0 && text[length - 1] == '\n')
        length--;
    text[length] = '\0';
    const char *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    return err_set(err, -ECHILD, "decoyd did not start: %.600s (%s has all it said)",
                   *line ? line : "it ended without a word", path);
}

/* Tries until the daemon answers, ends, or the time is up. */
static int await_daemon(const struct client *client, pid_t pid, int log, const char *path, off_t from,
                        struct endpoint **endpoint, struct err *err)
{
    double deadline_s = clock_monotonic_s() + patience(client);
    bool dead = false;
    for (;;) {
        int code = endpoint_open(endpoint, client->state, err);
        if (!code || (code != -ENOTCONN && code != -ETIMEDOUT))
            return code;
        if (dead)
            return daemon_failed(log, path, from, err);
        if (clock_monotonic_s() > deadline_s)
            return err_set(err, -ETIMEDOUT, "decoyd (process %d) does not serve yet; %s has what it said",
                           pid, path);
        dead =
            waitpid(pid, NULL, WNOHANG) == pid; /* it may have lost a race to another one: look once more */
        usleep(PAUSE_US);
    }
}

static int start_and_await(const struct client *client, pid_t *pid, struct endpoint **endpoint,
                           struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(client->state, "decoyd.log");
    int code = path_make_directories(client->state, 0700, err);
    if (code)
        return code;
    CLEANUP(close_fd) int log = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0)
        return err_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
    off_t from = lseek(log, 0, SEEK_END);
    code = start_daemon(client->state, log, pid, err);
    return code ? code : await_daemon(client, *pid, log, path, from, endpoint, err);
}

int up_run(struct client *client, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    pid_t pid = 0;
    int code = endpoint_open(&endpoint, client->state, err);
    if (code == -ENOTCONN)
        code = start_and_await(client, &pid, &endpoint, err);
    if (code)
        return code == -ECHILD ? EXIT_NO_DAEMON : exit_of(code);
    *err = (struct err){0};
    json_int_t serving = json_integer_value(json_object_get(endpoint_hello(endpoint), "pid"));
    const char *version = json_string_value(json_object_get(endpoint_hello(endpoint), "version"));
    if (client->json)
        print_json(json_pack("{sb sI ss? ss}", "started", serving == pid, "pid", serving, "version", version,
                             "state", client->state));
    else
        printf("decoyd %s %s, process %lld, state in %s\n", version ? version : "",
               serving == pid ? "is up" : "was up already", (long long)serving, client->state);
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

int down_run(struct client *client, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *endpoint = NULL;
    CLEANUP(close_fd) int process = -1;
    json_t *answer = NULL;
    int code = endpoint_open(&endpoint, client->state, err);
    if (code)
        return exit_of(code);
    pid_t pid = (pid_t)json_integer_value(json_object_get(endpoint_hello(endpoint), "pid"));
    process = pid > 0 ? pidfd_open(pid, 0) : -1;
    code = endpoint_call(endpoint, "shutdown", json_object(), &answer, err);
    json_decref(answer);
    if (code == -ENOTCONN) /* it ended before its answer was out */
        code = 0;
    if (!code)
        code = await_end(pid, process, patience(client), err);
    if (code)
        return exit_of(code);
    *err = (struct err){0};
    if (client->json)
        print_json(json_pack("{sb si}", "stopped", 1, "pid", (int)pid));
    else
        printf("decoyd, process %d, has ended; its queue is kept in %s\n", pid, client->state);
    return EXIT_DONE;
}
