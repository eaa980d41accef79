/* See child.h. The child writes a head and the data into a pipe; the parent believes nothing of it but sizes
 * that it has checked. */
#include "daemon/worker/child.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/clock.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { LOOK_MS = 500 };

#define DATA_MAX   ((size_t)1 << 31)
#define MEMORY_MIN ((size_t)2 << 30)

struct head {
    uint64_t size;
    bool fatal;
    struct err err;
};

/* --- in the child --- */

/* Of two processes that memory is short for, the kernel ends the child. */
static void offer_to_die_first(void)
{
    CLEANUP(close_fd) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "1000", 4) != 4)
        return; /* it is a wish */
}

/* Memory that this rank shares with others, Open MPI's, is not the child's to write in. */
static void unmap_shared(void)
{
    char line[512], rights[8];
    CLEANUP(close_stream) FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        uintptr_t from, to;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s", &from, &to, rights) == 3 &&
            strcmp(rights, "rw-s") == 0)
            syscall(SYS_munmap, from, to - from); /* not munmap, which Open MPI listens in on */
    }
}

/* Keeps the pipe, as descriptor 3, and standard output and error. */
static int cut_off(int fd, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(fd, 3) < 0)
        _exit(1);
    syscall(SYS_close_range, 4, ~0U, 0);
    offer_to_die_first();
    unmap_shared();
    return 3;
}

__attribute__((noreturn)) static void run_child(const struct confinement *may, int fd, pid_t parent,
                                                child_work *work, void *context)
{
    struct child_yield yield = {0};
    struct head head = {0};
    fd = cut_off(fd, parent);
    int code = confine(may, &head.err);
    yield.fatal = code != 0;
    if (!code)
        code = work(context, &yield, &head.err);
    if (code && !head.err.code)
        head.err.code = code;
    if (code == -ENOMEM)
        yield.fatal = false;
    head.fatal = yield.fatal;
    head.size = code ? 0 : yield.size;
    if (file_write_all(fd, &head, sizeof head) == 0)
        file_write_all(fd, yield.data, head.size);
    _exit(0);
}

/* --- in the parent --- */

/* Exactly size bytes by the time end_s: 0, -ETIMEDOUT, or -ECHILD when the pipe ends before. */
static int read_all(int fd, void *data, size_t size, double end_s)
{
    for (char *at = data; size;) {
        double left_s = end_s - clock_monotonic_s();
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        if (left_s <= 0)
            return -ETIMEDOUT;
        if (poll(&poller, 1, (int)fmin(1e3 * left_s + 1, LOOK_MS)) <= 0)
            continue; /* a signal, or so far nothing: this rank is alive (pulse.h) */
        ssize_t got = read(fd, at, size);
        if (got == 0 || (got < 0 && errno != EINTR))
            return -ECHILD;
        at += got > 0 ? got : 0;
        size -= got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static int receive(int fd, struct head *head, struct child_yield *yield, double end_s)
{
    int code = read_all(fd, head, sizeof *head, end_s);
    if (code)
        return code;
    if (head->size > DATA_MAX || !(yield->data = malloc((size_t)head->size + 1)))
        return -EPROTO;
    yield->size = (size_t)head->size;
    yield->fatal = head->fatal;
    ((char *)yield->data)[yield->size] = '\0';
    return read_all(fd, yield->data, yield->size, end_s);
}

static int describe_death(int status, struct err *err)
{
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    const char *why = number == SIGKILL   ? ", killed by someone or because memory ran out"
                      : number == SIGXCPU ? ", its CPU time used up"
                                          : "";
    if (number)
        return err_set(err, -ECHILD, "the reader died of signal %d (%s%s)", number, strsignal(number), why);
    return err_set(err, -ECHILD, "the reader ended without a word (status %d)",
                   WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* The child's own words, cleaned: it may have been anyone's. */
static int pass_on(struct head *head, struct err *err)
{
    char text[sizeof head->err.text];
    head->err.text[sizeof head->err.text - 1] = '\0';
    str_clean(text, sizeof text, head->err.text, strlen(head->err.text));
    return err_set(err, head->err.code < 0 ? head->err.code : -EPROTO, "%s", text);
}

static int follow(pid_t pid, int fd, double limit_s, struct child_yield *yield, struct err *err)
{
    struct head head = {0};
    int status = 0, code = receive(fd, &head, yield, clock_monotonic_s() + limit_s);
    if (code) /* of one that is dying already this changes nothing */
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (code == -ETIMEDOUT)
        return err_set(err, code, "the reader was ended after the %.0f s that a brick may take", limit_s);
    if (code == -EPROTO)
        return err_set(err, code, "the reader brought %llu bytes, which are too many",
                       (unsigned long long)head.size);
    return code ? describe_death(status, err) : head.err.code ? pass_on(&head, err) : 0;
}

int child_run(const struct confinement *may, double limit_s, child_work *work, void *context,
              struct child_yield *yield, struct err *err)
{
    int ends[2];
    memset(yield, 0, sizeof *yield);
    confine_prepare();
    if (pipe2(ends, O_CLOEXEC) != 0) {
        yield->fatal = true;
        return err_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
    }
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        run_child(may, ends[1], parent, work, context);
    int why = errno;
    close(ends[1]);
    int code = pid < 0 ? err_set(err, -why, "cannot start a reader: %s", strerror(why))
                       : follow(pid, ends[0], limit_s, yield, err);
    close(ends[0]);
    yield->fatal = yield->fatal || pid < 0;
    if (code) {
        free(yield->data);
        yield->data = NULL;
        yield->size = 0;
    }
    return code;
}

size_t child_memory(int sharers)
{
    size_t all =
        (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE) / (size_t)(sharers > 0 ? sharers : 1);
    return all > MEMORY_MIN ? all : MEMORY_MIN;
}
