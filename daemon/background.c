/* See background.h. The word is "+" for serving, anything else is a sentence; a child that died says nothing.
 */
#include "daemon/background.h"
#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

__attribute__((noreturn)) static void wait_for_word(int fd)
{
    char word[ERR_TEXT_MAX + 1];
    size_t used = 0;
    for (;;) {
        ssize_t got = read(fd, word + used, sizeof word - 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    word[used] = '\0';
    if (strcmp(word, "+") == 0)
        exit(0);
    fprintf(stderr, "decoyd: %s\n",
            used ? word : "it ended before it served; see decoyd.log in the state directory");
    exit(1);
}

int background_start(int *ready, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        return err_set(err, -errno, "cannot start a process: %s", strerror(errno));
    if (pid > 0) {
        close(ends[1]);
        wait_for_word(ends[0]);
    }
    close(ends[0]);
    setsid();
    *ready = ends[1];
    return 0;
}

void background_ready(int *ready, const char *why)
{
    const char *word = why ? why : "+";
    if (*ready >= 0 && write(*ready, word, strlen(word)) < 0)
        return; /* nobody waits */
    close_fd(ready);
}

int background_log_to(const char *path, struct err *err)
{
    CLEANUP(close_fd) int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CLEANUP(close_fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (log < 0 || null < 0)
        return err_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
    if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(log, 2) < 0)
        return err_set(err, -errno, "cannot redirect: %s", strerror(errno));
    return 0;
}
