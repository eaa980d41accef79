/* Chrome traces (chrome://tracing, Perfetto): {"traceEvents": [...]} with complete slices (ph X) in
 * microseconds; pid is the node, tid the rank. Slices of a track must nest. */
#ifndef DECOY_REPORT_TRACE_H
#define DECOY_REPORT_TRACE_H

#include "common/cleanup.h"
#include "common/err.h"

struct trace;

int trace_create(struct trace **out, int node, int rank, const char *node_name);
void trace_destroy(struct trace *trace);
CLEANUP_DEFINE(trace_destroy_ptr, struct trace, trace_destroy)

/* Times by clock_monotonic_s. name is copied. category: "forward", "backward", "input", "reduce", "update",
 * "checkpoint". */
void trace_slice(struct trace *trace, const char *name, const char *category, double start_s, double end_s);

int trace_publish(const struct trace *trace, const char *path, struct err *err);

#endif
