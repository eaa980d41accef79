/* What an attempt left in its directory: why it failed, what it found, what it wrote. */
#ifndef DECOY_DAEMON_OUTPUT_H
#define DECOY_DAEMON_OUTPUT_H

#include "common/err.h"
#include "proto/state.h"

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

/* Why an attempt failed: the signal that ended it (or a rank of it); or the last line of stderr that says an
 * error, without its time stamp; or the last that is no note; or the exit status in words. */
void output_reason(const char *directory, const struct job_exit *status, char reason[JOB_REASON_MAX]);

/* result.json as an object; NULL when there is none, or none that can be used (then *err says why). */
json_t *output_result(const char *directory, struct err *err);

/* Up to limit bytes of a file from offset (negative: from the end back; else as if nothing had been cut, trim.h), as clean UTF-8: a character that the end cuts is left for the next
 * chunk. *next is the offset to go on from, *at_end says whether the file ends there. *text is the caller's.
 */
int output_chunk(const char *path, int64_t offset, int64_t limit, char **text, int64_t *next, bool *at_end,
                 struct err *err);

#endif
