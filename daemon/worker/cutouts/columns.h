/* The property columns of a cutout file (formats.md, "Cutout file"), one value a stamp. */
#ifndef DECOY_CUTOUTS_COLUMNS_H
#define DECOY_CUTOUTS_COLUMNS_H

#include "daemon/worker/cutouts/cutting.h"
#include "daemon/worker/cutouts/selection.h"
#include "daemon/worker/dataset/cutout_file.h"

enum { COLUMNS_MAX = 128 };

struct columns {
    struct cutout_column items[COLUMNS_MAX];
    char *names[COLUMNS_MAX];
    void *values[COLUMNS_MAX];
    size_t count;
};

/* catalogue: NULL where none was read; its columns are then not there. truth: NULL for reals, whose files lack
 * the columns true_*, as do those of a user's places. The caller ends it with columns_free, also
 * after a failure. */
int columns_make(struct columns *columns, const struct item *item, const char *bands,
                 struct catalogue *catalogue, const struct truth *truth, const struct selection *selection,
                 double pixscale_arcsec, struct err *err);
void columns_free(struct columns *columns);

#endif
