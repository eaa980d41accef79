/* Files of output that do not fill the disk: what grows beyond a limit keeps its head and its tail, a quarter of the limit
 * each at whole lines, with a line between them that says how much was left out. Who writes has the file open for appending
 * and notices nothing; what is written in the instant between reading the tail and cutting is lost. Beside the file
 * FILE.cut remembers what was cut, so that offsets of readers stay as if nothing had been. */
#ifndef DECOY_DAEMON_TRIM_H
#define DECOY_DAEMON_TRIM_H

#include "common/err.h"

#include <stdint.h>

struct cut {
    int64_t head, bytes; /* after the first `head` bytes, `bytes` are not there any more */
};

/* Of the file; zeros where nothing was cut. */
struct cut trim_read(const char *path);

/* From an offset as if nothing had been cut to one of the file, and back. */
int64_t trim_to_file(const struct cut *cut, int64_t offset);
int64_t trim_from_file(const struct cut *cut, int64_t offset);

/* Cuts a file of more than limit bytes; a missing one is fine. */
int trim_file(const char *path, int64_t limit, struct err *err);

#endif
