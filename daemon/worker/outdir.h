/* The output directory of a job is its kind's alone: what two kinds wrote into one would be read as one
 * thing. */
#ifndef DECOY_WORKER_OUTDIR_H
#define DECOY_WORKER_OUTDIR_H

#include "common/err.h"

/* -EEXIST when out holds what another kind of job (or a survey) is known by; -ENOTDIR when it is a file. */
int outdir_check(const char *kind, const char *out, struct err *err);

#endif
