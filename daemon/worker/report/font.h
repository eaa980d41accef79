/* A bitmap font, 8 x 13 pixels a character; picture.c alone uses it. */
#ifndef DECOY_REPORT_FONT_H
#define DECOY_REPORT_FONT_H

enum { FONT_FIRST = 32, FONT_LAST = 126, FONT_HEIGHT_PX = 13 };

extern const unsigned char FONT_ROWS[FONT_LAST - FONT_FIRST + 1][FONT_HEIGHT_PX];

#endif
