/* Sending jobs. */
#ifndef DECOY_CLIENT_SUBMIT_H
#define DECOY_CLIENT_SUBMIT_H

#include "client/endpoint.h"
#include "proto/spec.h"

/* Submits an array of JOBs in one request, with `ranks: max` made a number. *ids is a new reference. */
int submit_jobs(struct endpoint *endpoint, json_t *jobs, json_t **ids, struct err *err);

/* A kind's fields as the command line gave them: paths made absolute against the working directory, all
 * checked. 0 or -EINVAL and a sentence that names the flag. */
int submit_check_fields(const struct spec_kind *kind, json_t *fields, struct err *err);

#endif
