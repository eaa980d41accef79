/* `watch`: rows of jobs as they change, at most ten times a second. */
#ifndef DECOY_DAEMON_WATCH_H
#define DECOY_DAEMON_WATCH_H

#include "daemon/stream.h"

/* Something of a job's row changed. Ended jobs stay in memory until those who watch have seen it. */
void watch_touch(struct streams *streams, struct job *job);

/* The first reply of a watch: its whole selection. */
void watch_begin(struct streams *streams, struct stream *stream);

void watch_on_flush(uv_timer_t *timer);

#endif
