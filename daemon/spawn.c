/* See spawn.h. The child between fork and exec only makes calls that are safe there: setsid, dup2, chdir, one
 * read of the gate, exec. Everything it needs is made before the fork. */
#include "daemon/spawn.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/fdlimit.h"
#include "daemon/process.h"
#include "proto/json.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>

extern char **environ;

enum { LIST_MAX = 512 };

/* Variables of decoyd's environment that workers see: exact names, and prefixes that end in '*'. */
static const char *const ALLOWED[] = {"PATH",
                                      "HOME",
                                      "USER",
                                      "LOGNAME",
                                      "SHELL",
                                      "LANG",
                                      "LC_*",
                                      "TZ",
                                      "TMPDIR",
                                      "DECOY_ETC",
                                      "OMPI_MCA_*",
                                      "SLURM_*",
                                      "LD_LIBRARY_PATH",
                                      "DNNL_*",
                                      "ONEDNN_*",
                                      "OMP_*",
                                      "ASAN_OPTIONS",
                                      "UBSAN_OPTIONS",
                                      "LSAN_OPTIONS"};

struct list {
    char *items[LIST_MAX + 1]; /* ends with NULL */
    size_t count;
};

static void list_add(struct list *list, char *item)
{
    if (list->count < LIST_MAX)
        list->items[list->count++] = item;
    else
        free(item);
}

static void list_clear(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
}

char *spawn_directory(const char *state, int64_t job, int attempt)
{
    return str_format("%s/jobs/%lld/attempt-%d", state, (long long)job, attempt);
}

static bool is_allowed(const char *variable)
{
    for (size_t i = 0; i < sizeof ALLOWED / sizeof *ALLOWED; i++) {
        size_t length = strcspn(ALLOWED[i], "*");
        if (strncmp(variable, ALLOWED[i], length) == 0 &&
            (ALLOWED[i][length] == '*' || variable[length] == '='))
            return true;
    }
    return false;
}

/* What mpirun must hand on to each rank, by name. */
static const char *const HANDED_ON[] = {"DECOY_ENDPOINT", "DECOY_JOB",         "DECOY_ATTEMPT",
                                        "DECOY_TOKEN",    "DECOY_ATTEMPT_DIR", "OMP_NUM_THREADS"};

static void fill_environment(struct list *list, const struct attempt *attempt, const struct job_row *row,
                             const char *state, const char *directory)
{
    for (char **variable = environ; *variable; variable++) {
        if (is_allowed(*variable) && strncmp(*variable, "OMP_NUM_THREADS=", 16) != 0)
            list_add(list, str_format("%s", *variable));
    }
    list_add(list, str_format("DECOY_ENDPOINT=ipc://%s/decoyd.sock", state));
    list_add(list, str_format("DECOY_JOB=%lld", (long long)attempt->job));
    list_add(list, str_format("DECOY_ATTEMPT=%d", attempt->attempt));
    list_add(list, str_format("DECOY_TOKEN=%s", attempt->token));
    list_add(list, str_format("DECOY_ATTEMPT_DIR=%s", directory));
    list_add(list, str_format("OMP_NUM_THREADS=%d", row->threads));
    if (geteuid() == 0 && row->ranks > 1) {
        list_add(list, str_format("OMPI_ALLOW_RUN_AS_ROOT=1"));
        list_add(list, str_format("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"));
    }
}

/* mpirun's options: decoyd shares out the cores, so ranks are not bound and give way when they wait; the
 * plain transports start in half the time that probing for fabrics takes. */
static void fill_arguments(struct list *list, const struct job_row *row, const char *worker,
                           const char *directory)
{
    static const char *const OPTIONS[] = {
        "--quiet", "--oversubscribe", "--bind-to", "none",           "--mca", "pml",
        "ob1",     "--mca",           "btl",       "self,vader,tcp", "--mca", "mpi_yield_when_idle",
        "1"};
    if (row->ranks > 1) {
        list_add(list, str_format("mpirun"));
        list_add(list, str_format("-n"));
        list_add(list, str_format("%d", row->ranks));
        for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++)
            list_add(list, str_format("%s", OPTIONS[i]));
        for (size_t i = 0; i < sizeof HANDED_ON / sizeof *HANDED_ON; i++) {
            list_add(list, str_format("-x"));
            list_add(list, str_format("%s", HANDED_ON[i]));
        }
    }
    list_add(list, str_format("%s", worker));
    list_add(list, str_format("--spec"));
    list_add(list, str_format("%s/spec.json", directory));
}

static int publish_spec(const char *directory, const struct attempt *attempt, const struct job_row *row,
                        struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "spec.json");
    json_t *spec = json_pack("{ss sO si sI si}", "kind", row->kind, "fields", row->fields, "threads",
                             row->threads, "job", (json_int_t)attempt->job, "attempt", attempt->attempt);
    int code = spec ? json_publish_file(path, spec, err) : err_set(err, -ENOMEM, "out of memory");
    json_decref(spec);
    return code;
}

static int open_output(const char *directory, const char *name, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    return fd >= 0 ? fd : err_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
}

static int make_token(char token[40], struct err *err)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_set(err, -EIO, "cannot get random bytes: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static void reset_signals(void)
{
    sigset_t none;
    for (int number = 1; number < 32; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void run_child(const char *directory, char **arguments, char **environment,
                                                const int fds[3], const int gate[2])
{
    char go = 0;
    setsid();
    reset_signals();
    fdlimit_restore();
    close(gate[1]);
    while (read(gate[0], &go, 1) < 0 && errno == EINTR)
        ;
    if (go != 'g')
        _exit(0); /* the daemon is gone, or changed its mind */
    for (int i = 0; i < 3; i++)
        dup2(fds[i], i);
    if (chdir(directory) == 0)
        execvpe(arguments[0], arguments, environment);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

/* The fork itself. The gate's writing end stays with us. */
static int fork_child(struct child *child, const char *directory, struct list *arguments,
                      struct list *environment, struct err *err)
{
    CLEANUP(close_fd) int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CLEANUP(close_fd) int output = open_output(directory, "stdout", err);
    CLEANUP(close_fd) int error = output < 0 ? -1 : open_output(directory, "stderr", err);
    int gate[2];
    if (input < 0 || output < 0 || error < 0)
        return input < 0 ? err_set(err, -errno, "cannot open /dev/null") : err ? err->code : -EIO;
    if (pipe2(gate, O_CLOEXEC) != 0)
        return err_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
    sigset_t all, before; /* until the child has its own handlers, a signal would run ours in it */
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    child->pid = fork();
    if (child->pid == 0)
        run_child(directory, arguments->items, environment->items, (const int[]){input, output, error}, gate);
    int why = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(gate[0]);
    child->gate = gate[1];
    if (child->pid > 0)
        return 0;
    int code = err_set(err, -why, "cannot start a process: %s", strerror(why));
    close_fd(&child->gate);
    return code;
}

int spawn_prepare(struct child *child, struct attempt *attempt, const struct job_row *row, const char *state,
                  const char *worker, struct err *err)
{
    CLEANUP(free_ptr) char *directory = spawn_directory(state, attempt->job, attempt->attempt);
    struct list arguments = {0}, environment = {0};
    int code = path_make_directories(directory, 0777, err);
    if (!code)
        code = make_token(attempt->token, err);
    if (!code)
        code = process_boot_id(attempt->boot_id, err);
    if (!code)
        code = publish_spec(directory, attempt, row, err);
    if (code)
        return code;
    fill_environment(&environment, attempt, row, state, directory);
    fill_arguments(&arguments, row, worker, directory);
    code = fork_child(child, directory, &arguments, &environment, err);
    list_clear(&arguments);
    list_clear(&environment);
    if (code)
        return code;
    attempt->pid = child->pid;
    if (process_start_ticks(child->pid, &attempt->start_ticks) == 0)
        return 0;
    spawn_cancel(child);
    return err_set(err, -ESRCH, "the process of job %lld was ended before it ran", (long long)attempt->job);
}

void spawn_go(struct child *child)
{
    while (write(child->gate, "g", 1) < 0 && errno == EINTR)
        ;
    close_fd(&child->gate);
}

void spawn_cancel(struct child *child)
{
    close_fd(&child->gate);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    child->pid = 0;
}
