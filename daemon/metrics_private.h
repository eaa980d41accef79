/* What the two files of metrics share; nobody else includes it. */
#ifndef DECOY_DAEMON_METRICS_PRIVATE_H
#define DECOY_DAEMON_METRICS_PRIVATE_H

#include "daemon/metrics.h"

struct metrics {
    struct daemon *daemon;
    int64_t events[EVENT_MAX]; /* committed by this daemon */
    int64_t last_event_us;     /* 0: none, ever */
    int64_t started_us;
    /* the file (metrics_file.c) */
    uv_timer_t timer;
    uv_work_t work;
    char *text; /* being written; the worker thread's meanwhile */
    bool writing, closing, told;
    struct err err;
};

#endif
