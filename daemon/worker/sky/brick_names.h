/* Bricks by name: a text file of them, one a line; blank lines and those that begin with # are passed over. */
#ifndef DECOY_SKY_BRICK_NAMES_H
#define DECOY_SKY_BRICK_NAMES_H

#include "daemon/worker/sky/survey.h"

struct brick_names {
    const struct brick *bricks; /* sorted by name */
    size_t count;
    int *lines; /* where the file has each; NULL when the names are from elsewhere */
};

/* The caller ends it with brick_names_free, also after a failure. Each name once. Errors name file and line. */
int brick_names_read(struct brick_names *names, const char *path, struct err *err);
void brick_names_free(struct brick_names *names);

bool brick_names_have(const struct brick_names *names, const char *name);

/* Could this be a brick's name? */
bool brick_name_valid(const char *name);

#endif
