/* Seeing jobs through to their end. */
#ifndef DECOY_CLIENT_FOLLOW_H
#define DECOY_CLIENT_FOLLOW_H

#include "client/endpoint.h"

enum follow_style {
    FOLLOW_SHOWN,  /* bars on a terminal; else a line as a job starts and one as it ends */
    FOLLOW_SILENT, /* nothing */
    FOLLOW_JSON    /* the rows as they come */
};

/* Until all jobs have ended; for ever when there are none of ids. *rows: their last rows in the order of ids
 * (all that were seen when there are none), a new reference. timeout_s < 0: no limit. A daemon that
 * goes away is waited for (reconnect.h). Ctrl-C gives -EINTR and a sentence on how to come back. Other errors as
 * endpoint_next's. */
int follow_jobs(struct endpoint *endpoint, const json_t *ids, enum follow_style style, double timeout_s,
                json_t **rows, struct err *err);

/* EXIT_DONE when all rows have succeeded, else EXIT_NEGATIVE. */
int follow_exit(const json_t *rows);

/* From now on Ctrl-C and SIGTERM are counted, and follow_interrupted tells how many came, instead of ending the
 * program. Returns a descriptor that can be read once one came. */
int follow_catch_interrupt(void);
int follow_interrupted(void);

#endif
