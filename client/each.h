/* Job arrays: `submit --each FILE` makes a job of each line of a file, or with --per N of each N lines. In the values
 * of the job's flags {} is the line, {n} the part's number (from 1, all equally long), and {file} the path of a file
 * with the part's lines, kept in FILE.parts/. */
#ifndef DECOY_CLIENT_EACH_H
#define DECOY_CLIENT_EACH_H

#include "common/err.h"

#include <jansson.h>

/* The JOBs made from a pattern (a JOB whose values may hold places, and whose key gets /n), as an array of one submit;
 * per 0: a line a job. Blank lines and those that begin with # are left out. -EINVAL and a sentence for a file
 * without lines, a place that has no meaning, or parts with one and the same `out`. */
int each_jobs(const json_t *pattern, const char *path, long per, json_t **jobs, struct err *err);

#endif
