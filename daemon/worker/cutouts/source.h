/* The files that one item is made from, and the file it becomes. */
#ifndef DECOY_CUTOUTS_SOURCE_H
#define DECOY_CUTOUTS_SOURCE_H

#include "common/cleanup.h"
#include "daemon/worker/bricks.h"
#include "daemon/worker/cutouts/cutting.h"

enum { SOURCE_PLANES_MAX = 2 * CUTTING_BANDS_MAX };

struct source {
    char *output;                    /* <out>/<class>/<AAA>/<brick>[-<run>].h5 */
    char *planes[SOURCE_PLANES_MAX]; /* in channel order: image and invvar of each band */
    int plane_count;
    char *catalogue;  /* of measured sources; NULL where places are given and there is none */
    char *truth;      /* what was injected, or a user's places; NULL for reals without those */
    char *before;     /* the survey's own catalogue of a fake's brick; NULL when there is none */
    char *receipt;    /* of the simulation, where decoy made it; NULL elsewhere */
    json_t *identity; /* attributes that say what the output is made of: equal ones, equal output */
    json_t *states;   /* size and time of each of identity's "sources", for the output's "source_states" */
    json_t *earlier;  /* attributes of the output that is there, or NULL */
};

/* The names of the files that an item is read from. */
int source_list(const struct cutting *cutting, const struct item *item, struct file_list *list,
                struct err *err);

/* Finds the files and takes their checksums; that of a file whose size and modification time are those that the
 * output there is tells of is taken from it. The caller ends it with source_free, also after a failure. */
int source_open(struct source *source, const struct cutting *cutting, const struct item *item,
                struct err *err);
void source_free(struct source *source);

/* The output's attributes (a new reference) when it is there, readable, and made of just these sources and
 * settings; else NULL. */
json_t *source_find_output(const struct source *source);

/* How the simulation was made by its receipt (its kind, version, seed and spoils), a new reference; NULL where there is
 * none to read. */
json_t *source_simulation(const struct source *source);

#endif
