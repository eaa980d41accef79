/* See pulse.h. */
#include "daemon/worker/pulse.h"
#include "common/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PERIOD_S = 1 };

struct pulse {
    struct team *team;
    struct link *link;
    clockid_t main_clock; /* processor time of the main thread */
    struct timespec used; /* of it, at the last look */
    bool *heard;          /* rank 0: of each rank since the last word to decoyd */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool stopping;
};

/* Whether /proc/self/task/ID/stat, "pid (name) state ...", says that the thread waits for a disk. */
static bool waits_for_disk(const char *id)
{
    char path[320], text[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/stat", id);
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        return false;
    const char *name_end = strrchr(text, ')');
    return name_end && strncmp(name_end, ") D", 3) == 0;
}

static bool any_waits_for_disk(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    bool found = false;
    while (tasks && !found && (entry = readdir(tasks)))
        found = entry->d_name[0] != '.' && waits_for_disk(entry->d_name);
    if (tasks)
        closedir(tasks);
    return found;
}

static bool is_alive(struct pulse *pulse)
{
    struct timespec used = pulse->used;
    clock_gettime(pulse->main_clock, &used);
    bool ran = used.tv_sec != pulse->used.tv_sec || used.tv_nsec != pulse->used.tv_nsec;
    pulse->used = used;
    return ran || any_waits_for_disk();
}

static void beat(struct pulse *pulse)
{
    int ranks = team_size(pulse->team);
    bool alive = is_alive(pulse);
    if (team_rank(pulse->team) > 0) {
        if (alive)
            team_beat(pulse->team);
        return;
    }
    memset(pulse->heard, 0, (size_t)ranks * sizeof *pulse->heard);
    pulse->heard[0] = alive;
    team_hear(pulse->team, pulse->heard);
    link_alive(pulse->link, pulse->heard, ranks);
}

static void *go_on(void *argument)
{
    struct pulse *pulse = argument;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    pthread_mutex_lock(&pulse->lock);
    while (!pulse->stopping) {
        pthread_mutex_unlock(&pulse->lock);
        beat(pulse);
        next.tv_sec += PERIOD_S;
        pthread_mutex_lock(&pulse->lock);
        while (!pulse->stopping && pthread_cond_timedwait(&pulse->change, &pulse->lock, &next) != ETIMEDOUT)
            ;
    }
    pthread_mutex_unlock(&pulse->lock);
    return NULL;
}

/* Signals are the main thread's. */
static int start_thread(struct pulse *pulse)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int code = pthread_create(&pulse->thread, NULL, go_on, pulse);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -code;
}

int pulse_start(struct pulse **out, struct team *team, struct link *link, struct err *err)
{
    pthread_condattr_t attributes;
    *out = NULL;
    if (!link_has_daemon(link))
        return 0;
    struct pulse *pulse = calloc(1, sizeof *pulse);
    if (!pulse || !(pulse->heard = calloc((size_t)team_size(team), sizeof *pulse->heard)))
        abort();
    pulse->team = team;
    pulse->link = link;
    pthread_getcpuclockid(pthread_self(), &pulse->main_clock);
    pthread_mutex_init(&pulse->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pulse->change, &attributes);
    int code = start_thread(pulse);
    if (!code) {
        *out = pulse;
        return 0;
    }
    free(pulse->heard);
    free(pulse);
    return err_set(err, code, "cannot start a thread: %s", strerror(-code));
}

void pulse_stop(struct pulse *pulse)
{
    if (!pulse)
        return;
    pthread_mutex_lock(&pulse->lock);
    pulse->stopping = true;
    pthread_cond_signal(&pulse->change);
    pthread_mutex_unlock(&pulse->lock);
    pthread_join(pulse->thread, NULL);
    free(pulse->heard);
    free(pulse);
}
