/* Sending jobs. */
#ifndef DECOY_CLIENT_SUBMIT_H
#define DECOY_CLIENT_SUBMIT_H

#include "client/endpoint.h"

/* Submits an array of JOBs in one request, with `ranks: max` made a number. *ids is a new reference. */
int submit_jobs(struct endpoint *endpoint, json_t *jobs, json_t **ids, struct err *err);

#endif
