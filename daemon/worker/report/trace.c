/* See trace.h. Slices are kept as whole nanoseconds, so that two that touch still touch when written as
 * microseconds with three decimals; the file is made whole at the end. */
#include "daemon/worker/report/trace.h"
#include "common/file.h"
#include "common/str.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct slice {
    char *name, *category;
    int64_t start_ns, end_ns;
};

struct trace {
    int node, rank;
    char *node_name;
    struct slice *slices;
    size_t count, room;
    bool incomplete; /* memory ran out: trace_publish says so */
};

int trace_create(struct trace **out, int node, int rank, const char *node_name)
{
    struct trace *trace = calloc(1, sizeof *trace);
    if (!trace)
        return -ENOMEM;
    trace->node = node;
    trace->rank = rank;
    trace->node_name = str_format("%s", node_name);
    *out = trace;
    return 0;
}

void trace_destroy(struct trace *trace)
{
    if (!trace)
        return;
    for (size_t i = 0; i < trace->count; i++) {
        free(trace->slices[i].name);
        free(trace->slices[i].category);
    }
    free(trace->slices);
    free(trace->node_name);
    free(trace);
}

static bool make_room(struct trace *trace)
{
    if (trace->count < trace->room)
        return true;
    size_t room = trace->room ? 2 * trace->room : 256;
    struct slice *slices = realloc(trace->slices, room * sizeof *slices);
    if (!slices)
        return false;
    trace->slices = slices;
    trace->room = room;
    return true;
}

void trace_slice(struct trace *trace, const char *name, const char *category, double start_s, double end_s)
{
    if (!make_room(trace)) {
        trace->incomplete = true;
        return;
    }
    struct slice *slice = &trace->slices[trace->count++];
    slice->name = str_format("%s", name);
    slice->category = str_format("%s", category);
    slice->start_ns = llround(start_s * 1e9);
    slice->end_ns = llround(end_s * 1e9);
    if (slice->end_ns < slice->start_ns)
        slice->end_ns = slice->start_ns;
}

static json_t *name_event(const struct trace *trace, const char *what, const char *name)
{
    return json_pack("{ss ss si si s{ss}}", "name", what, "ph", "M", "pid", trace->node, "tid", trace->rank,
                     "args", "name", name);
}

static json_t *slice_event(const struct trace *trace, const struct slice *slice)
{
    return json_pack("{ss ss ss sf sf si si}", "name", slice->name, "cat", slice->category, "ph", "X", "ts",
                     (double)slice->start_ns * 1e-3, "dur", (double)(slice->end_ns - slice->start_ns) * 1e-3,
                     "pid", trace->node, "tid", trace->rank);
}

static json_t *trace_to_json(const struct trace *trace)
{
    CLEANUP(free_ptr) char *rank_name = str_format("rank %d", trace->rank);
    json_t *events = json_array();
    json_array_append_new(events, name_event(trace, "process_name", trace->node_name));
    json_array_append_new(events, name_event(trace, "thread_name", rank_name));
    for (size_t i = 0; i < trace->count; i++) {
        if (json_array_append_new(events, slice_event(trace, &trace->slices[i])) != 0) {
            json_decref(events);
            return NULL;
        }
    }
    return json_pack("{so ss}", "traceEvents", events, "displayTimeUnit", "ms");
}

int trace_publish(const struct trace *trace, const char *path, struct err *err)
{
    json_t *root = trace->incomplete ? NULL : trace_to_json(trace);
    CLEANUP(free_ptr) char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    if (!text)
        return err_set(err, -ENOMEM, "cannot write %s: out of memory, or a slice's name is not UTF-8", path);
    return file_publish(path, text, strlen(text), err);
}
