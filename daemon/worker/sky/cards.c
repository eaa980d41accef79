/* See cards.h. Fixed format of the FITS standard 4.0, section 4.2: values end in column 30. */
#include "daemon/worker/sky/cards.h"
#include "common/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CARD = 80 };

static void add_card(char **cards, const char *name, const char *value, const char *comment)
{
    char *before = *cards;
    char *card = str_format("%-8.8s= %20s / %s", name, value, comment);
    *cards = str_format("%s%-80.80s", before ? before : "", card);
    free(card);
    free(before);
}

void cards_add_real(char **cards, const char *name, double value, const char *comment)
{
    char text[40];
    snprintf(text, sizeof text, "%.15G", value);
    if (!strpbrk(text, ".EN"))
        strcat(text, ".0");
    add_card(cards, name, text, comment);
}

void cards_add_text(char **cards, const char *name, const char *value, const char *comment)
{
    char text[40];
    snprintf(text, sizeof text, "'%-8.20s'", value);
    char padded[40];
    snprintf(padded, sizeof padded, "%-20s", text);
    add_card(cards, name, padded, comment);
}

bool cards_find_real(const char *cards, const char *name, double *value)
{
    size_t length = cards ? strlen(cards) : 0;
    for (size_t at = 0; at + CARD <= length; at += CARD) {
        char key[9];
        snprintf(key, sizeof key, "%-8.8s", name);
        if (strncmp(cards + at, key, 8) != 0 || cards[at + 8] != '=')
            continue;
        char text[CARD - 9 + 1], *end;
        snprintf(text, sizeof text, "%.*s", CARD - 10, cards + at + 10);
        *value = strtod(text, &end);
        return end != text;
    }
    return false;
}
