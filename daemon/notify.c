/* See notify.h. A datagram to an AF_UNIX socket is all that sd_notify is. */
#include "daemon/notify.h"
#include "common/cleanup.h"
#include "common/str.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* NOTIFY_SOCKET is a path, or '@' and an abstract name. */
static void tell(const char *text)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *name = getenv("NOTIFY_SOCKET");
    size_t length = name ? strlen(name) : 0;
    if (!length || length > sizeof address.sun_path || (*name != '/' && *name != '@'))
        return;
    CLEANUP(close_fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, name, length);
    if (*address.sun_path == '@')
        *address.sun_path = '\0';
    if (fd >= 0 && sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
        return; /* whoever asked to be told has gone */
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    tell("WATCHDOG=1");
}

/* Half of what systemd waits for, in ms; 0: it does not wait, or not for this process. */
static uint64_t watchdog_ms(void)
{
    const char *span = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
    int64_t span_us = 0, pid = 0;
    if (!span || !str_to_int(span, &span_us) || span_us < 2000)
        return 0;
    if (whose && (!str_to_int(whose, &pid) || pid != getpid()))
        return 0;
    return (uint64_t)span_us / 2000;
}

void notify_ready(struct notify *notify, uv_loop_t *loop)
{
    uint64_t every_ms = watchdog_ms();
    uv_timer_init(loop, &notify->watchdog);
    notify->watchdog.data = notify;
    if (every_ms)
        uv_timer_start(&notify->watchdog, on_watchdog, every_ms, every_ms);
    CLEANUP(free_ptr) char *text = str_format("READY=1\nMAINPID=%d\nSTATUS=serves\n", (int)getpid());
    tell(text);
}

void notify_stopping(void)
{
    tell("STOPPING=1\nSTATUS=waits for its jobs to stop\n");
}

void notify_close(struct notify *notify)
{
    if (notify->watchdog.data)
        uv_close((uv_handle_t *)&notify->watchdog, NULL);
}
