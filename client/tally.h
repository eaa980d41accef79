/* The result of a cutouts job as a table: what was left of each class after each step. */
#ifndef DECOY_CLIENT_TALLY_H
#define DECOY_CLIENT_TALLY_H

#include <jansson.h>

/* The table in fresh memory, cut to width columns (0: any); NULL when result does not count classes. */
char *tally_format(const json_t *result, int width);

#endif
