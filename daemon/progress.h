/* How far a running job is: its ranks' reports summed, and the rate and time left from recent history. */
#ifndef DECOY_DAEMON_PROGRESS_H
#define DECOY_DAEMON_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>

struct progress;

struct progress *progress_create(int ranks); /* aborts when memory is out */
void progress_destroy(struct progress *progress);

/* A rank's own share of done, of the whole job's total. False, and nothing changes, when a number is no good.
 */
bool progress_report(struct progress *progress, int rank, double done, double total, const char *unit,
                     double now_s);

/* {"done", "total", "unit", "rate" (a second), "left_s"}, a new reference; rate and left_s are null until
 * they are known. NULL before the first report. */
json_t *progress_json(const struct progress *progress);

#endif
