/* See reconnect.h. What was asked must be asked again: the new daemon knows nothing of the old one's streams. */
#include "client/reconnect.h"
#include "common/clock.h"
#include "common/str.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_S 60.0

enum { PAUSE_MS = 200 };

bool reconnect_fits(int code)
{
    return code == -ENOTCONN || code == -ESHUTDOWN;
}

static double patience_s(void)
{
    const char *text = getenv("DECOY_RECONNECT");
    double seconds;
    return text && str_to_seconds(text, &seconds) ? seconds : PATIENCE_S;
}

int reconnect(struct endpoint *endpoint, int why, int fd, struct err *err)
{
    double limit_s = patience_s(), deadline_s = clock_monotonic_s() + limit_s;
    char span[CLOCK_TEXT_MAX];
    struct err failure = {0};
    if (limit_s <= 0)
        return why;
    fprintf(stderr, "decoy: decoyd went away; its jobs are kept. Waiting %s for it to be started again\n",
            clock_format_span(limit_s, span));
    while (clock_monotonic_s() < deadline_s) {
        struct pollfd item = {fd, POLLIN, 0};
        if (poll(&item, 1, PAUSE_MS) != 0)
            return err_set(err, -EINTR, "interrupted");
        int code = endpoint_reopen(endpoint, &failure);
        if (!code) {
            fputs("decoy: decoyd is back\n", stderr);
            *err = (struct err){0};
            return 0;
        }
        if (!reconnect_fits(code) && code != -ETIMEDOUT) {
            *err = failure;
            return code;
        }
    }
    return why;
}
