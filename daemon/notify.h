/* What decoyd tells systemd (sd_notify(3)): that it serves, that it is alive, that it ends. Without systemd, nothing. */
#ifndef DECOY_DAEMON_NOTIFY_H
#define DECOY_DAEMON_NOTIFY_H

#include <uv.h>

struct notify {
    uv_timer_t watchdog;
};

/* Says that decoyd serves, and from now on, from the loop itself, that it turns: WATCHDOG_USEC tells how often. */
void notify_ready(struct notify *notify, uv_loop_t *loop);

void notify_stopping(void);

/* Ends the timer; notify must outlive the loop's next turn. */
void notify_close(struct notify *notify);

#endif
