/* See spawn.h. The child between fork and exec only makes calls that are safe there: setsid, dup2, chdir, one
 * read of the gate, exec. Everything it needs is made before the fork. */
#include "daemon/spawn.h"
#include "common/path.h"
#include "common/str.h"
#include "common/file.h"
#include "daemon/daemon.h"
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

/* What Open MPI is told, whoever launches it: decoyd shares out the cores, so ranks are not bound by it and give way when
 * they wait (8 us instead of 8 ms for a small sum where ranks share cores); the plain transports start in half the time that
 * probing for fabrics takes. */
static const char *const MCA[][2] = {{"pml", "ob1"},
                                     {"btl", "self,vader,tcp"},
                                     {"mpi_yield_when_idle", "1"},
                                     {"hwloc_base_binding_policy", "none"}};

struct plan {
    const struct attempt *attempt;
    const struct job_row *row;
    const struct placement *placement;
    const struct daemon *daemon;
    const char *directory;
};

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
static const char *const HANDED_ON[] = {"DECOY_ENDPOINT",    "DECOY_JOB",       "DECOY_ATTEMPT", "DECOY_TOKEN",
                                        "DECOY_ATTEMPT_DIR", "OMP_NUM_THREADS", "DECOY_RANKS"};

bool spawn_launches(const struct placement *placement)
{
    return placement->ranks > 1 || placement->shares[0].host > 0;
}

bool spawn_elsewhere(const struct placement *placement, const struct config *config)
{
    return spawn_launches(placement) &&
           (config->srun || placement->count > 1 || placement->shares[0].host > 0);
}

static void fill_environment(struct list *list, const struct plan *plan)
{
    const struct attempt *attempt = plan->attempt;
    for (char **variable = environ; *variable; variable++) {
        if (is_allowed(*variable) && strncmp(*variable, "OMP_NUM_THREADS=", 16) != 0)
            list_add(list, str_format("%s", *variable));
    }
    list_add(list, str_format("DECOY_ENDPOINT=ipc://%s/decoyd.sock", plan->daemon->state));
    list_add(list, str_format("DECOY_JOB=%lld", (long long)attempt->job));
    list_add(list, str_format("DECOY_ATTEMPT=%d", attempt->attempt));
    list_add(list, str_format("DECOY_TOKEN=%s", attempt->token));
    list_add(list, str_format("DECOY_ATTEMPT_DIR=%s", plan->directory));
    list_add(list, str_format("DECOY_RANKS=%d", plan->placement->ranks));
    list_add(list, str_format("OMP_NUM_THREADS=%d", plan->placement->threads));
    if (plan->daemon->slots.allocated) {
        CLEANUP(free_ptr) char *cpus = placement_cpus(&plan->daemon->slots, plan->placement);
        list_add(list, str_format("DECOY_CPUS=%s", cpus));
    }
    if (!spawn_launches(plan->placement))
        return;
    list_add(list, str_format("SLURM_OVERLAP=1")); /* jobs side by side share the memory of the allocation */
    if (plan->daemon->config.srun) {
        list_add(list, str_format("SLURM_HOSTFILE=%s/hosts", plan->directory));
        for (size_t i = 0; i < sizeof MCA / sizeof *MCA; i++)
            list_add(list, str_format("OMPI_MCA_%s=%s", MCA[i][0], MCA[i][1]));
    }
    if (geteuid() == 0) {
        list_add(list, str_format("OMPI_ALLOW_RUN_AS_ROOT=1"));
        list_add(list, str_format("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"));
    }
}

static void list_add_all(struct list *list, const char *const *words)
{
    for (; *words; words++)
        list_add(list, str_format("%s", *words));
}

/* How many ranks go to which host, rank 0 on the first. */
static char *say_hosts(const struct plan *plan)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        abort();
    for (size_t i = 0; i < plan->placement->count; i++) {
        const struct share *share = &plan->placement->shares[i];
        fprintf(stream, "%s%s:%d", i ? "," : "", plan->daemon->slots.hosts[share->host].name, share->ranks);
    }
    fclose(stream);
    return text;
}

/* A lost host is noticed when three probes a second apart, after two seconds of silence, stay without an answer; by
 * Open MPI's own settings that takes eight minutes. */
static void fill_mpirun(struct list *list, const struct plan *plan)
{
    static const char *const OPTIONS[] = {"mpirun", "--oversubscribe", "--bind-to", "none", NULL};
    static const char *const SPREAD[] = {"--map-by", "slot", "--mca", "oob_tcp_keepalive_time", "2", "--mca",
                                         "oob_tcp_keepalive_intvl", "1", "--mca", "oob_tcp_keepalive_probes", "3",
                                         "--host", NULL};
    list_add_all(list, OPTIONS);
    if (!spawn_elsewhere(plan->placement, &plan->daemon->config)) /* else it is to say which host it lost */
        list_add_all(list, (const char *const[]){"--quiet", NULL});
    list_add_all(list, (const char *const[]){"-n", NULL});
    list_add(list, str_format("%d", plan->placement->ranks));
    for (size_t i = 0; i < sizeof MCA / sizeof *MCA; i++)
        list_add_all(list, (const char *const[]){"--mca", MCA[i][0], MCA[i][1], NULL});
    if (plan->daemon->slots.allocated) {
        list_add_all(list, SPREAD);
        list_add(list, say_hosts(plan));
        list_add_all(list, (const char *const[]){"-x", "DECOY_CPUS", NULL});
    }
    for (size_t i = 0; i < sizeof HANDED_ON / sizeof *HANDED_ON; i++)
        list_add_all(list, (const char *const[]){"-x", HANDED_ON[i], NULL});
}

static void fill_srun(struct list *list, const struct plan *plan)
{
    static const char *const OPTIONS[] = {"srun", "--quiet", "--mpi=pmix", "--overlap", "--kill-on-bad-exit=1", "--cpu-bind=none",
                                          "--export=ALL", "--distribution=arbitrary", NULL};
    list_add_all(list, OPTIONS);
    list_add(list, str_format("--nodes=%zu", plan->placement->count));
    list_add(list, str_format("--ntasks=%d", plan->placement->ranks));
}

static void fill_arguments(struct list *list, const struct plan *plan)
{
    if (spawn_launches(plan->placement) && plan->daemon->config.srun)
        fill_srun(list, plan);
    else if (spawn_launches(plan->placement))
        fill_mpirun(list, plan);
    list_add(list, str_format("%s", plan->daemon->worker));
    list_add(list, str_format("--spec"));
    list_add(list, str_format("%s/spec.json", plan->directory));
}

/* The host of each rank, a line each: what srun places them by. */
static int publish_hosts(const struct plan *plan, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(plan->directory, "hosts"), *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return err_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < plan->placement->count; i++) {
        const struct share *share = &plan->placement->shares[i];
        for (int rank = 0; rank < share->ranks; rank++)
            fprintf(stream, "%s\n", plan->daemon->slots.hosts[share->host].name);
    }
    fclose(stream);
    return file_publish(path, text, size, err);
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

int spawn_prepare(struct child *child, struct attempt *attempt, const struct job_row *row,
                  const struct placement *placement, const struct daemon *daemon, struct err *err)
{
    CLEANUP(free_ptr) char *directory = spawn_directory(daemon->state, attempt->job, attempt->attempt);
    struct plan plan = {attempt, row, placement, daemon, directory};
    struct list arguments = {0}, environment = {0};
    int code = path_make_directories(directory, 0777, err);
    if (!code)
        code = make_token(attempt->token, err);
    if (!code)
        code = process_boot_id(attempt->boot_id, err);
    if (!code)
        code = publish_spec(directory, attempt, row, err);
    if (!code && daemon->config.srun)
        code = publish_hosts(&plan, err);
    if (code)
        return code;
    fill_environment(&environment, &plan);
    fill_arguments(&arguments, &plan);
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
