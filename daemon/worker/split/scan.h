/* What a directory of cutout files holds (listing.h), in the order of class and path. Every file is opened
 * once, its pixels are not read. */
#ifndef DECOY_SPLIT_SCAN_H
#define DECOY_SPLIT_SCAN_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/worker/dataset/cutout_file.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { CLASS_REAL, CLASS_FAKE, CLASS_MAX }; /* the labels */

struct source {
    char *path;
    uint8_t label;
    size_t brick;         /* index into bricks */
    size_t count, first;  /* stamps; how many stamps there are in the sources before */
    int64_t plain_offset; /* see cutout_file_plain_offset */
};

struct scan_column {
    char *name, *unit; /* unit may be NULL */
    enum cutout_type type;
    size_t width;
};

struct scan {
    int stamp, channel_count;
    json_t *channels; /* names */
    struct source *sources;
    size_t source_count, total;
    char **bricks;
    size_t brick_count;
    json_t *brick_index;         /* {brick: its index} */
    struct scan_column *columns; /* the union over all files */
    size_t column_count;
    json_t *provenance; /* {"real": {attribute: [{"value", "files"}]}, "fake": ...} */
    json_t *selection;  /* "classes" of cutouts.json: how many each cut left; NULL without that file */
};

extern const char *const CLASS_NAMES[CLASS_MAX]; /* "real", "fake" */

/* A file that cannot be read, or whose stamps have another size or other channels than those before it, is an
 * error that names it: left out, it would shrink the dataset without a word. */
int scan_cutouts(struct scan *scan, const char *root, struct err *err);
void scan_free(struct scan *scan); /* its contents */

#endif
