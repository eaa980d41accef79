/* The whole terminal, as a grid of characters. ncurses is here and nowhere else. */
#ifndef DECOY_CLIENT_SCREEN_H
#define DECOY_CLIENT_SCREEN_H

#include "common/err.h"

#include <stdbool.h>

enum screen_style { STYLE_PLAIN, STYLE_GOOD, STYLE_BAD, STYLE_BUSY, STYLE_FAINT, STYLE_STRONG, STYLE_MAX };

/* Keys that are no characters. */
enum screen_key {
    SCREEN_NONE = -1,
    SCREEN_UP = 1000,
    SCREEN_DOWN,
    SCREEN_PAGE_UP,
    SCREEN_PAGE_DOWN,
    SCREEN_RESIZED
};

/* Takes the terminal over; screen_close gives it back as it was. -ENOTTY without one. */
int screen_open(struct err *err);
void screen_close(void);

int screen_rows(void);
int screen_columns(void);
bool screen_utf8(void);

void screen_clear(void);
/* Text at a place, cut at the right edge; `selected` fills the rest of the line and turns the colours round. */
void screen_put(int row, int column, const char *text, enum screen_style style, bool selected);
void screen_show(void); /* what was put becomes visible */

int screen_key(void); /* the next key typed, SCREEN_NONE when there is none */

#endif
