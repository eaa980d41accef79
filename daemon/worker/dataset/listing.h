/* Which cutout files there are. A cutouts job ends with <root>/cutouts.json, which names them: then those are
 * the files, each must be there, and others (of an earlier run) do not count. Without one they are what is
 * found: <root>/<class>/.../<name>.h5. */
#ifndef DECOY_DATASET_LISTING_H
#define DECOY_DATASET_LISTING_H

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
/* Names of files that count; listing_is_cutouts: "<name>.h5". */
typedef bool listing_accept(const char *name);
listing_accept listing_is_cutouts;

/* Files below a directory, or below <root>/<class>. */
int listing_walk(struct listing *listing, const char *directory, listing_accept *accept, struct err *err);
int listing_walk_class(struct listing *listing, const char *root, const char *class_name,
                       listing_accept *accept, struct err *err);
void listing_free(struct listing *listing); /* its contents */

/* The brick of a cutout file by its name: up to the last '-' of a fake's ("1350m000-rs0.h5"), else the whole
 * without its ending. Fresh memory. */
char *listing_brick(const char *path, bool fake);

#endif
