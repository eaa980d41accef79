/* See process.h. A pid may be given out again, so a session found after a restart is believed to be ours only
 * process by process: each must carry the token of the attempt in its environment. */
#include "daemon/process.h"
#include "common/cleanup.h"
#include "common/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

struct process {
    char state;
    pid_t session;
    int64_t start_ticks;
};

static ssize_t read_some(const char *path, char *data, size_t size)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    while (fd >= 0 && used < size - 1) {
        ssize_t got = read(fd, data + used, size - 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    data[used] = '\0';
    return fd < 0 ? -1 : (ssize_t)used;
}

/* /proc/PID/stat: "pid (name) state ppid pgrp session ...", where the name may hold anything. */
static int look(pid_t pid, struct process *process)
{
    char path[64], text[1024];
    int session;
    long long ticks;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (read_some(path, text, sizeof text) <= 0)
        return -ESRCH;
    const char *rest = strrchr(text, ')');
    if (!rest ||
        sscanf(rest + 1, " %c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lld",
               &process->state, &session, &ticks) != 3)
        return -ESRCH;
    process->session = session;
    process->start_ticks = ticks;
    return 0;
}

int process_start_ticks(pid_t pid, int64_t *ticks)
{
    struct process process;
    int code = look(pid, &process);
    if (!code)
        *ticks = process.start_ticks;
    return code;
}

int process_boot_id(char boot_id[40], struct err *err)
{
    if (read_some("/proc/sys/kernel/random/boot_id", boot_id, 40) <= 0)
        return err_set(err, -EIO, "cannot read /proc/sys/kernel/random/boot_id");
    boot_id[strcspn(boot_id, "\n")] = '\0';
    return 0;
}

static bool carries_token(pid_t pid, const char *token)
{
    enum { SIZE = 1 << 17 };
    char path[64];
    CLEANUP(free_ptr) char *wanted = str_format("DECOY_TOKEN=%s", token);
    CLEANUP(free_ptr) char *environment = malloc(SIZE);
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    ssize_t size = environment ? read_some(path, environment, SIZE) : 0;
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(environment + at) + 1) {
        if (strcmp(environment + at, wanted) == 0)
            return true;
    }
    return false;
}

/* The number behind a name of /proc/PID/status, written to that base; 0 where there is none. */
static unsigned long long status_of(pid_t pid, const char *name, int base)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    const char *line = read_some(path, text, sizeof text) > 0 ? strstr(text, name) : NULL;
    return line ? strtoull(line + strlen(name), NULL, base) : 0;
}

/* Whether it handles SIGUSR1; to anything else that signal is the end. */
static bool catches_usr1(pid_t pid)
{
    return status_of(pid, "\nSigCgt:", 16) >> (SIGUSR1 - 1) & 1;
}

static bool is_traced(pid_t pid)
{
    return status_of(pid, "\nTracerPid:", 10) != 0;
}

struct choice {
    pid_t session;
    const char *token;
    int who;
    bool strays; /* those outside the session */
};

static bool is_chosen(pid_t pid, const struct choice *choice)
{
    struct process process;
    bool leader = pid == choice->session;
    if (pid < 2 || (choice->who & PROCESS_BUT_LEADER && leader) ||
        (choice->who & PROCESS_LEADER && !leader) || look(pid, &process) != 0)
        return false;
    if ((process.session == choice->session) == choice->strays || process.state == 'Z' ||
        process.state == 'X' || (choice->who & PROCESS_STOPPED && process.state != 'T'))
        return false;
    return (!choice->token || carries_token(pid, choice->token)) &&
           (!(choice->who & PROCESS_CATCHES_USR1) || catches_usr1(pid)) && (!(choice->who & PROCESS_TRACED) || is_traced(pid));
}

static int signal_chosen(const struct choice *choice, int signal)
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    int count = 0;
    while (directory && (entry = readdir(directory))) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (!is_chosen(pid, choice))
            continue;
        count++;
        if (signal)
            kill(pid, signal);
    }
    if (directory)
        closedir(directory);
    return count;
}

int process_signal_session(pid_t session, const char *token, int who, int signal)
{
    return signal_chosen(&(struct choice){session, token, who, false}, signal);
}

int process_signal_strays(pid_t session, const char *token, int signal)
{
    return signal_chosen(&(struct choice){session, token, PROCESS_ALL, true}, signal);
}
