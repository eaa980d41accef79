/* What decoyd tells Prometheus, in its text form (prometheus.io/docs/instrumenting/exposition_formats): for `decoy status
 * --metrics`, and where decoyd was told --metrics-file, as a file for node_exporter's textfile collector, written anew every
 * --metrics-every and gone when decoyd ends in good order. Names follow prometheus.io/docs/practices/naming: base units, counters end in
 * _total; counters begin with the daemon. */
#ifndef DECOY_DAEMON_METRICS_H
#define DECOY_DAEMON_METRICS_H

#include "daemon/daemon.h"

struct metrics;

int metrics_create(struct metrics **out, struct daemon *daemon, struct err *err);

/* Writes the file from now on; does nothing where none is asked for. Fails when the first cannot be written. */
int metrics_start(struct metrics *metrics, struct err *err);
void metrics_close(struct metrics *metrics); /* freed by its owner once the loop is closed */

/* An event was committed. */
void metrics_event(struct metrics *metrics, const struct job_event *event);

/* All of it; the caller's. */
int metrics_text(struct metrics *metrics, char **text, struct err *err);

#endif
