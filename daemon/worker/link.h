/* The line to decoyd: progress, metrics and notes, each carrying job and attempt. Never blocks and never
 * fails: a worker whose daemon is gone goes on working until it is told otherwise. Without a daemon
 * (decoy-worker run by hand) notes go to standard error; a client that runs a tool is told all on a pipe, a line of
 * JSON a report. Reports may be sent by several threads. */
#ifndef DECOY_WORKER_LINK_H
#define DECOY_WORKER_LINK_H

#include "common/err.h"

#include <jansson.h>
#include <stdbool.h>

struct link;

/* SIGTERM, SIGINT, SIGUSR2 (by way of a launcher): stop; SIGUSR1: a checkpoint. To be called first thing. */
void link_catch_signals(void);

int link_create(struct link **out, int rank, struct err *err);
void link_destroy(struct link *link);

/* Work done so far by this rank, out of the whole job's total; the daemon adds up the ranks.
 * Rate-limited here (5 a second; the last one is always sent), so call it as often as you like. */
void link_progress(struct link *link, double done, double total, const char *unit);

/* One row of metrics.jsonl, e.g. {"step": 12, "loss": 0.69, ...}; takes the reference. */
void link_metrics(struct link *link, json_t *row);

/* A sentence for the job's history and its log. */
void link_note(struct link *link, const char *format, ...) __attribute__((format(printf, 2, 3)));
void link_warning(struct link *link, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* To decoyd: which of the job's ranks were heard of since the last word (pulse.h). */
void link_alive(struct link *link, const bool *heard, int ranks);
bool link_has_daemon(const struct link *link);

/* What the job found, for `decoy show`; takes the reference. Published as result.json of the attempt. */
int link_result(struct link *link, json_t *result, struct err *err);

/* Asked by signal, seen here between two pieces of work. SIGTERM: stop, with what is finished kept.
 * SIGUSR1: write a checkpoint now (cleared by being read). */
bool link_stop_asked(const struct link *link);
bool link_checkpoint_asked(struct link *link);

#endif
