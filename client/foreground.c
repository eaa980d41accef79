/* See foreground.h. The worker finds its job in DIRECTORY/spec.json, leaves result.json and standard error there, and
 * reports on a pipe, one line of JSON a report (daemon/worker/link.c). When the pipe has no more writers, it has ended.
 * It gets SIGTERM when we die. */
#include "client/foreground.h"
#include "client/client.h"
#include "client/follow.h"
#include "client/print.h"
#include "client/row.h"
#include "client/view.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/path.h"
#include "common/program.h"
#include "common/str.h"
#include "proto/json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { TICK_MS = 200, LINE_LIMIT = 65536, STDERR_LIMIT = 1 << 24, WORKER_USAGE = 2, WORKER_STOPPED = 75 };

struct foreground {
    const char *kind;
    char *directory;
    struct view *view; /* NULL: no bars */
    pid_t pid;
    int reports; /* the pipe's reading end */
    int signals; /* how often it was asked to stop */
    int64_t started_us;
    char line[LINE_LIMIT]; /* the begin of a report that has not come whole */
    size_t used;
};

static char *file_of(const struct foreground *run, const char *name)
{
    return path_join(run->directory, name);
}

static int make_directory(struct foreground *run, struct err *err)
{
    const char *base = getenv("TMPDIR");
    run->directory = str_format("%s/decoy-XXXXXX", base && *base == '/' ? base : "/tmp");
    if (mkdtemp(run->directory))
        return 0;
    int code = err_set(err, -errno, "cannot make a directory like %s: %s", run->directory, strerror(errno));
    free(TAKE(run->directory));
    return code;
}

static void remove_directory(struct foreground *run)
{
    static const char *const NAMES[] = {"spec.json", "result.json", "stderr"};
    for (size_t i = 0; run->directory && i < sizeof NAMES / sizeof *NAMES; i++) {
        CLEANUP(free_ptr) char *path = file_of(run, NAMES[i]);
        unlink(path);
    }
    if (run->directory)
        rmdir(run->directory);
    free(run->directory);
}

static int write_job(const struct foreground *run, const json_t *fields, struct err *err)
{
    CLEANUP(free_ptr) char *path = file_of(run, "spec.json");
    json_t *job = json_pack("{ss sO si si si}", "kind", run->kind, "fields", fields, "threads", 1, "job", 0,
                            "attempt", 0);
    int code = json_publish_file(path, job, err);
    json_decref(job);
    return code;
}

/* In the child: never returns. */
static void become_worker(const struct foreground *run, const char *worker, const char *spec, int reports,
                          int said)
{
    CLEANUP(free_ptr) char *number = str_format("%d", reports);
    int null = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setenv("DECOY_REPORTS", number, 1);
    setenv("DECOY_ATTEMPT_DIR", run->directory, 1);
    unsetenv("DECOY_ENDPOINT");
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(said, STDERR_FILENO);
    fcntl(reports, F_SETFD, 0);
    execl(worker, worker, "--spec", spec, (char *)NULL);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", worker, strerror(errno));
    _exit(127);
}

static int start_worker(struct foreground *run, struct err *err)
{
    CLEANUP(free_ptr) char *worker = NULL;
    CLEANUP(free_ptr) char *spec = file_of(run, "spec.json");
    CLEANUP(free_ptr) char *stderr_path = file_of(run, "stderr");
    int ends[2], code = program_find_worker(&worker, err);
    if (code)
        return code;
    CLEANUP(close_fd) int said = open(stderr_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (said < 0 || pipe2(ends, O_CLOEXEC) != 0)
        return err_set(err, -errno, "cannot write %s: %s", stderr_path, strerror(errno));
    follow_catch_interrupt();
    run->started_us = clock_realtime_us();
    run->pid = fork();
    if (run->pid == 0)
        become_worker(run, worker, spec, ends[1], said);
    close(ends[1]);
    run->reports = ends[0];
    return run->pid > 0 ? 0 : err_set(err, -errno, "cannot start a process: %s", strerror(errno));
}

/* The job as the views know one, with the progress that was reported. */
static void show_progress(struct foreground *run, const json_t *report)
{
    double done = json_number_value(json_object_get(report, "done")),
           total = json_number_value(json_object_get(report, "total")),
           span_s = 1e-6 * (double)(clock_realtime_us() - run->started_us);
    double rate = span_s > 0 ? done / span_s : 0;
    json_t *progress = json_pack("{sf sf ss sf}", "done", done, "total", total, "unit",
                                 row_text(report, "unit"), "rate", rate);
    if (rate > 0)
        json_object_set_new(progress, "left_s", json_real((total - done) / rate));
    json_t *rows =
        json_pack("{s{ss ss so}}", "tool", "kind", run->kind, "state", "running", "progress", progress);
    view_draw(run->view, rows);
    json_decref(rows);
}

static void tell(struct foreground *run, const json_t *report, bool warning)
{
    if (run->view)
        view_clear(run->view);
    fprintf(stderr, "%s: %s%s%s%s\n", run->kind, print_color(stderr, warning ? COLOR_BAD : COLOR_NONE),
            warning ? "warning: " : "", row_text(report, "text"), print_color(stderr, COLOR_NONE));
}

static void take_report(struct foreground *run, const char *line, size_t size)
{
    json_t *report = NULL;
    if (json_parse_bytes(line, size, &report, NULL) != 0)
        return;
    const char *verb = row_text(report, "verb");
    if (strcmp(verb, "progress") == 0 && run->view)
        show_progress(run, report);
    else if (strcmp(verb, "note") == 0 || strcmp(verb, "warning") == 0)
        tell(run, report, *verb == 'w');
    json_decref(report);
}

/* What is in the pipe; false at its end. */
static bool take_reports(struct foreground *run)
{
    ssize_t got = read(run->reports, run->line + run->used, sizeof run->line - run->used);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    run->used += (size_t)got;
    char *begin = run->line, *end;
    while ((end = memchr(begin, '\n', run->used - (size_t)(begin - run->line)))) {
        take_report(run, begin, (size_t)(end - begin));
        begin = end + 1;
    }
    run->used -= (size_t)(begin - run->line);
    memmove(run->line, begin, run->used);
    if (run->used == sizeof run->line) /* longer than any report of ours */
        run->used = 0;
    return true;
}

/* Ctrl-C reaches the worker by itself when it comes from a terminal, and by us when not; asking twice does no harm. */
static void pass_interrupts(struct foreground *run)
{
    int asked = follow_interrupted();
    for (; run->signals < asked; run->signals++)
        kill(run->pid, run->signals == 0 ? SIGTERM : SIGKILL);
}

/* Until the worker has ended; its status as waitpid gives it. */
static int await_end(struct foreground *run)
{
    int status = 0;
    bool open = true;
    while (open) {
        struct pollfd item = {run->reports, POLLIN, 0};
        pass_interrupts(run);
        if (poll(&item, 1, TICK_MS) > 0)
            open = take_reports(run);
    }
    while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
        pass_interrupts(run);
    return status;
}

/* The sentence it ended with: its last line on standard error, without time and level. */
static int read_sentence(const struct foreground *run, int status, struct err *err)
{
    CLEANUP(free_ptr) char *path = file_of(run, "stderr");
    CLEANUP(free_ptr) char *text = NULL;
    size_t size = 0;
    if (WIFSIGNALED(status))
        return err_set(err, -ECHILD, "decoy-worker was ended by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    if (file_read(path, STDERR_LIMIT, &text, &size, NULL) != 0 || size == 0)
        return err_set(err, -ECHILD, "decoy-worker ended with status %d and said nothing",
                       WEXITSTATUS(status));
    while (size > 0 && text[size - 1] == '\n')
        text[--size] = '\0';
    char *line = strrchr(text, '\n'), *sentence = strstr(line ? line : text, " error: ");
    return err_set(err, -ECHILD, "%s", sentence ? sentence + 8 : line ? line + 1 : text);
}

static int conclude(const struct foreground *run, int status, json_t **result, struct err *err)
{
    CLEANUP(free_ptr) char *path = file_of(run, "result.json");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        if (!path_exists(path)) {
            *result = json_object();
            return EXIT_DONE;
        }
        return json_read_file(path, result, err) == 0 ? EXIT_DONE : EXIT_NEGATIVE;
    }
    if (run->signals || (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_STOPPED)) {
        err_set(err, -EINTR, run->signals > 1 ? "killed" : "stopped; what was finished is kept");
        return EXIT_DETACHED;
    }
    read_sentence(run, status, err);
    return WIFEXITED(status) && WEXITSTATUS(status) == WORKER_USAGE ? EXIT_USAGE : EXIT_NEGATIVE;
}

int foreground_run(const char *kind, const json_t *fields, bool shown, json_t **result, struct err *err)
{
    struct foreground *run = calloc(1, sizeof *run);
    if (!run)
        abort();
    run->kind = kind;
    run->reports = -1;
    int code = make_directory(run, err);
    if (!code)
        code = write_job(run, fields, err);
    if (!code)
        code = start_worker(run, err);
    int exit_code = EXIT_USAGE;
    if (!code) {
        run->view = shown && print_is_terminal(stdout) ? view_create() : NULL;
        int status = await_end(run);
        view_destroy(run->view);
        exit_code = conclude(run, status, result, err);
    }
    close_fd(&run->reports);
    remove_directory(run);
    free(run);
    return exit_code;
}
