/* TensorBoard event files: TFRecord frames of Event messages. Appended and flushed as training goes. */
#ifndef DECOY_REPORT_EVENTS_H
#define DECOY_REPORT_EVENTS_H

#include "common/cleanup.h"
#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

struct events;

/* Opens <directory>/events.out.tfevents.<seconds>.<host>.<pid>.<suffix> and writes the version record. */
int events_open(struct events **out, const char *directory, const char *suffix, struct err *err);
void events_close(struct events *events);
CLEANUP_DEFINE(events_close_ptr, struct events, events_close)

int events_scalar(struct events *events, int64_t step, const char *tag, double value, struct err *err);

/* png: a whole PNG file, 8-bit RGB. */
int events_image(struct events *events, int64_t step, const char *tag, int width_px, int height_px,
                 const void *png, size_t size, struct err *err);

/* Of all values that are finite, in equal steps from the least to the largest. */
int events_histogram(struct events *events, int64_t step, const char *tag, const float *values, size_t count,
                     struct err *err);

/* A node of the graph: what TensorBoard draws. inputs: names of other nodes, `input_count` of them. shape: of
 * its output. */
struct events_node {
    const char *name, *operation; /* e.g. "conv1", "Conv2D" */
    const char *const *inputs;
    int input_count;
    long shape[4];
    int dimensions;
};
int events_graph(struct events *events, const struct events_node *nodes, int count, struct err *err);

#endif
