/* The part of a plane that is at hand while one goes up through its rows: tiles are decoded when they are first
 * asked for, each once, and forgotten when the rows have gone past them. */
#ifndef DECOY_SKY_PLANE_WINDOW_H
#define DECOY_SKY_PLANE_WINDOW_H

#include "daemon/worker/sky/plane_tiles.h"

struct plane_window;

/* rows: the most that are asked for at once. tiles stay the caller's and outlive the window. */
int plane_window_open(struct plane_window **out, struct plane_tiles *tiles, long rows, struct err *err);
void plane_window_close(struct plane_window *window);
CLEANUP_DEFINE(plane_window_close_ptr, struct plane_window, plane_window_close)

/* Brings columns x .. x+width-1 of rows y .. y+height-1, which lie in the plane, to hand. y may stay or grow from
 * call to call. */
int plane_window_cover(struct plane_window *window, long x, long y, long width, long height, struct err *err);

/* Row y from column 0 on; of its pixels those that were covered count. */
const float *plane_window_row(const struct plane_window *window, long y);

#endif
