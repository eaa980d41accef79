/* Examples of a dataset larger than memory, read from their files, and let go of: pages of what was just read make room
 * in the page cache for what was asked for beforehand (dataset_prefetch), which the kernel would else drop first. */
#ifndef DECOY_DATASET_STREAM_H
#define DECOY_DATASET_STREAM_H

#include "daemon/worker/dataset/dataset.h"

struct stream;

/* The dataset is borrowed. For one thread at a time. */
int stream_create(struct stream **out, struct dataset *dataset, struct err *err);
void stream_destroy(struct stream *stream);
CLEANUP_DEFINE(stream_destroy_ptr, struct stream, stream_destroy)

/* As dataset_pixels, but valid until the next call. */
const float *stream_read(struct stream *stream, enum dataset_part part, size_t i, struct err *err);

#endif
