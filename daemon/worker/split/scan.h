/* What there is to split: the files of stamps of both classes (listing.h, stampfile.h), in the order of class and
 * path. Every file is opened once, by the rank that claims it; its pixels are not read. What rank 0 makes of the
 * ranks' findings is a function of the files alone. */
#ifndef DECOY_SPLIT_SCAN_H
#define DECOY_SPLIT_SCAN_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/worker/link.h"
#include "daemon/worker/split/rows.h"
#include "daemon/worker/team.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLASS_REAL, CLASS_FAKE, CLASS_MAX }; /* the labels */

struct source {
    char *path;
    uint8_t label;
    size_t brick;        /* index into bricks */
    size_t count, first; /* stamps; how many stamps there are in the sources before */
};

#define NO_ID INT64_MIN

/* Where and what a stamp is; NaN and NO_ID where its file does not say. */
struct stamp_key {
    double ra_deg, dec_deg;
    int64_t id;
};

struct scan {
    int stamp, channel_count;
    json_t *channels; /* names */
    struct source *sources;
    size_t source_count, total;
    char **bricks;
    size_t brick_count;
    json_t *brick_index; /* {brick: its index} */
    struct row_layout rows;
    struct stamp_key *keys; /* one a stamp */
    double pixscale_arcsec; /* the largest of the files; 0 when none tells */
    size_t left_out;        /* the original's edge stamps of another size than the others */
    json_t *provenance;     /* {"real": {attribute: [{"value", "files"}]}, "fake": ...} */
    json_t *selection; /* {"real", "fake"} of cutouts.json's "classes": how many each cut left; or NULL */
};

extern const char *const CLASS_NAMES[CLASS_MAX]; /* "real", "fake" */

/* Where the classes are: one root for both, or one each. */
struct scan_roots {
    const char *both, *each[CLASS_MAX]; /* NULL where not given */
};

/* Collective; roots count, and the scan is made, on rank 0. A file that cannot be read, or whose stamps have another
 * size or other channels than those before it, is an error that names it: left out, it would shrink the dataset
 * without a word. Of several such files the first is named. -ECANCELED, on all ranks, when one was asked to stop. */
int scan_cutouts(struct scan *scan, const struct scan_roots *roots, struct team *team, struct link *link,
                 struct err *err);
void scan_free(struct scan *scan); /* its contents */

/* Which source a stamp belongs to, given its number over all sources. */
size_t scan_source_of(const struct scan *scan, size_t stamp);

#endif
