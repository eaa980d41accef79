/* The job `export`: a network (network.h), or stamps of a cutouts job, as files that other programs read. Of stamps it writes <out>/<class>/... by layout, and
 * last <out>/export.json:
 *
 *     {"v": 1, "layout", "cutouts", "stamps": {"real": n, "fake": n},
 *      "files": [{"class", "brick", "path": relative to out, "stamps", "edge"}, ...]}
 *
 * | layout  | a brick's files |
 * | ---     | --- |
 * | dplearn | hdf5/<AAA>/<brick>/: what obiwan's dplearn/create_training.py writes (dplearn.c) |
 * | npy     | <AAA>/<name>.npy float32 (N, y, x, channel), and <name>.fits, a table of all columns (plain.c) |
 * | png     | <AAA>/<brick>/<id>.png, colour as in the report's galleries, north up (pictures.c) |
 * | jpeg    | the same as .jpg |
 *
 * All realisations of a brick are one item: dplearn puts them into one file. Ranks share the items out. */
#ifndef DECOY_EXPORT_EXPORT_H
#define DECOY_EXPORT_EXPORT_H

#include "daemon/worker/dataset/cutout_file.h"
#include "daemon/worker/dataset/listing.h"
#include "daemon/worker/job.h"

#include <stdbool.h>

struct export_item {
    bool fake;
    char *brick;
    char *const *paths; /* its cutout files, borrowed from a listing */
    size_t count;
    bool clash; /* two of its files have an id in common */
};

struct exporting {
    struct job *job;
    const char *cutouts, *out;
    int zoom;
    struct listing listing[2]; /* real, fake */
    struct export_item *items;
    size_t item_count;
};

/* items.c */
int items_find(struct exporting *exporting, struct err *err);
void items_free(struct exporting *exporting);
int item_find_clashes(struct export_item *item, struct err *err); /* stamps.c */
const char *item_class(const struct export_item *item);           /* "real", "fake" */

/* stamps.c: an open cutout file, its stamps read in blocks. */
struct stamps {
    struct cutout_file *file;
    const char *path;
    size_t count;
    int side, channels;
    int64_t *id;   /* unique in the item */
    double *mag;   /* mag_g; NAN where the cutouts do not tell one */
    int64_t *edge; /* 1: part of the stamp lies outside the image */
    float *block;
    size_t first, held;
};

/* The item's i-th file. */
int stamps_open(struct stamps *stamps, const struct export_item *item, size_t i, struct err *err);
void stamps_free(struct stamps *stamps);
int stamps_pixels(struct stamps *stamps, size_t row, const float **pixels,
                  struct err *err); /* until the next call */

/* What a layout does with one file of an item; context is its own. */
typedef int export_file(struct stamps *stamps, const char *folder, const void *context, struct err *err);

struct tally {
    size_t stamps, edge;
    char *path; /* what was written, relative to out; fresh memory */
};

/* stamps.c: each file of the item by `write`, into `folder`, which is made and becomes the tally's path. */
int stamps_export(const struct exporting *exporting, const struct export_item *item, struct tally *tally,
                  char *folder, export_file *write, const void *context, struct err *err);

/* One item by a layout. */
typedef int export_layout(const struct exporting *exporting, const struct export_item *item,
                          struct tally *tally, struct err *err);
export_layout export_dplearn, export_npy, export_png, export_jpeg;

#endif
