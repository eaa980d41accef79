/* A curve drawn with characters. */
#ifndef DECOY_CLIENT_CURVE_H
#define DECOY_CLIENT_CURVE_H

#include <jansson.h>
#include <stdbool.h>

/* Points [[x, y], ...] as `height` lines of `width` columns, in fresh memory, lines with newlines between: a line of dots of
 * Braille (2 x 4 a character), or stars without UTF-8. x is spread evenly between the first and the last point's,
 * and y from the least to the greatest. NULL with fewer than two points. */
char *curve_draw(const json_t *points, int width, int height, bool utf8);

/* The least and the greatest y. */
void curve_range(const json_t *points, double *least, double *greatest);

#endif
