/* FITS header cards as plane.h holds them: 80 characters each, one after the other. */
#ifndef DECOY_SKY_CARDS_H
#define DECOY_SKY_CARDS_H

#include <stdbool.h>

/* Append a card to *cards (fresh memory at first: *cards NULL), the caller's to free. */
void cards_add_real(char **cards, const char *name, double value, const char *comment);
void cards_add_text(char **cards, const char *name, const char *value, const char *comment);

/* The value of a number's card; false when there is none. */
bool cards_find_real(const char *cards, const char *name, double *value);

#endif
