/* decoyd from start to end: takes the state directory, reads the queue back, serves, ends in good order. */
#ifndef DECOY_DAEMON_LOOP_H
#define DECOY_DAEMON_LOOP_H

#include <jansson.h>
#include <stdbool.h>

struct loop_options {
    const char *state; /* --state, or NULL */
    bool foreground;
    const json_t *config; /* {field: value} of config.h's flags */
};

/* The exit status: 0 after a good-order end, 1 after a sentence on standard error (or in decoyd.log). Without
 * foreground the calling process returns as soon as the daemon serves. */
int loop_main(const struct loop_options *options);

#endif
