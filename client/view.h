/* The live view: one line for each running job, redrawn in place, under the lines of those that ended. */
#ifndef DECOY_CLIENT_VIEW_H
#define DECOY_CLIENT_VIEW_H

#include "common/cleanup.h"

#include <jansson.h>

struct view;

struct view *view_create(void); /* on standard output: in place on a terminal, else line by line */
void view_destroy(struct view *view);
CLEANUP_DEFINE(view_destroy_ptr, struct view, view_destroy)

/* rows: {"id": ROW}; those that have ended since the last call get their line, then the bars are drawn anew.
 */
void view_draw(struct view *view, const json_t *rows);
void view_skip_ended(struct view *view,
                     const json_t *rows); /* nothing is told of those that have ended already */
/* The line of one job that has ended. */
void view_line(const json_t *row);

void view_clear(struct view *view); /* takes the bars away */

#endif
