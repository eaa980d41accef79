/* How much of a stamp a network is shown: the controls of a verdict train networks that see a part only. What is
 * hidden is 0 in the normalised stamp. */
#ifndef DECOY_NET_SIGHT_H
#define DECOY_NET_SIGHT_H

#include <stdbool.h>

enum sight {
    SIGHT_ALL,
    SIGHT_IMAGE,      /* the image channels; of invvar only where there is none, since the image is 0 there */
    SIGHT_INVVAR,     /* the inverse variance channels */
    SIGHT_BACKGROUND, /* all channels, but for what lies within a quarter of the side of the middle */
    SIGHT_MAX
};

const char *sight_name(enum sight sight); /* "all", "image", "invvar", "background" */

/* SIGHT_MAX for a name that is none. */
enum sight sight_find(const char *name);

/* Whether pixel (x, y) of a stamp of `side` px is hidden from SIGHT_BACKGROUND. */
bool sight_is_middle(int side, int x, int y);

#endif
