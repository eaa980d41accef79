/* Which cutout files there are. A cutouts job ends with <root>/cutouts.json, which names them: then those are
 * the files, each must be there, and others (of an earlier run) do not count. Without one they are what is
 * found in <root>/<class>, cutout files of decoy's or of the original's (stamps.h). A root that was given for one
 * class alone (split --real, --fake) need not have that directory: then all of it is of the class. */
#ifndef DECOY_SPLIT_LISTING_H
#define DECOY_SPLIT_LISTING_H

#include "common/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct listing {
    char **paths; /* in the order of the alphabet */
    size_t count, room;
};

/* <root>/cutouts.json, a new reference; NULL when there is none. */
int listing_manifest(const char *root, json_t **manifest, struct err *err);

int listing_read(struct listing *listing, const char *root, const json_t *manifest, const char *class_name,
                 struct err *err);
int listing_walk(struct listing *listing, const char *root, const char *class_name, bool of_one_class,
                 struct err *err);
void listing_free(struct listing *listing); /* its contents */

#endif
