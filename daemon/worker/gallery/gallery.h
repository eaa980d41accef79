/* The job `gallery`: pairs of real and fake stamps of like magnitude, at some percentiles of brightness, as the
 * document's Figure 1. Writes <out>/pNN.png a percentile, gallery.html, one page with all of them, and last
 * gallery.json:
 *
 *     {"v": 1, "stamps": directory, "band": "g" or null, "examples": n,
 *      "pictures": [{"percentile", "mag", "picture": "p01.png", "caption", "shown": [["real", id], ["fake", id]...]}]}
 *
 * Stamps without magnitudes make one picture, first.png, of the first of each class. */
#ifndef DECOY_GALLERY_GALLERY_H
#define DECOY_GALLERY_GALLERY_H

#include "daemon/worker/dataset/dataset.h"
#include "daemon/worker/job.h"
#include "daemon/worker/report/stamp.h"

/* All stamps there are to choose from; of cutouts, those of at most POOL_FILES_MAX files a class, evenly spread over
 * the list. */
enum { POOL_FILES_MAX = 512, POOL_BAND_MAX = 16 };

struct pool {
    size_t count, room;
    double *mag;              /* NAN: not known */
    uint8_t *label;           /* 1: fake */
    int64_t *id;              /* -1: not known */
    uint32_t *file, *row;     /* of cutouts: where each lies; of a dataset: part, number */
    char band[POOL_BAND_MAX]; /* of mag; "": none is known */
    int side, channels;
    char **names; /* of channels */
    size_t files_read, files;
    struct dataset *dataset; /* or, of cutouts: */
    char **paths;
    size_t path_count;
};

int pool_open(struct pool *pool, const char *directory, struct job *job, struct err *err);
void pool_free(struct pool *pool);
int pool_layout(const struct pool *pool, struct stamp_layout *layout, struct err *err);

/* (side, side, channels). */
int pool_pixels(const struct pool *pool, size_t i, float *pixels, struct err *err);

/* For pool_open: pool.c, pool_cutouts.c. */
int pool_grow(struct pool *pool, size_t more, struct err *err);
int pool_set_shape(struct pool *pool, int side, int channels, const char *const *names, const char *path,
                   struct err *err);
/* Whose magnitude to try for at step c = -1, 0, ...: once one is found that one, else g, then each channel's. */
const char *pool_band(const struct pool *pool, int c);
int pool_read_cutouts(struct pool *pool, const char *directory, struct job *job, struct err *err);
int pool_cutout_pixels(const struct pool *pool, size_t i, float *pixels, struct err *err);

#endif
