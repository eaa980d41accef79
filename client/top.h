/* What `decoy top` knows and shows: top.c keeps it up to date and minds the keys, top_draw.c draws it. */
#ifndef DECOY_CLIENT_TOP_H
#define DECOY_CLIENT_TOP_H

#include "client/endpoint.h"

#include <jansson.h>
#include <stdbool.h>

enum top_page { TOP_JOBS, TOP_LOGS, TOP_HELP };

struct top {
    struct endpoint *stream; /* `watch` of all jobs */
    struct endpoint *line;   /* for questions */
    json_t *rows;            /* {"id": ROW} of all that did not end before we came */
    json_t *order;  /* the same rows as shown: running, ready, waiting, held, then ended, latest first */
    json_t *status; /* what the daemon says of itself */
    json_t *curve;  /* points of curve_job's loss, or NULL */
    long curve_job;
    long selected; /* id; 0: none */
    size_t first;  /* of order, that is in the top line of the list */
    enum top_page page;
    char *logs;     /* of the selected job */
    char said[200]; /* in the bottom line instead of the keys */
    bool confirm;   /* a cancel is to be confirmed by y */
};

void top_draw(struct top *top);
size_t top_list_height(const struct top *top);         /* lines that the list has */
const json_t *top_selected_row(const struct top *top); /* NULL: none */

#endif
