/* See selection.h. */
#include "daemon/worker/cutouts/selection.h"

#include <errno.h>
#include <string.h>

void selection_free(struct selection *selection)
{
    free(selection->chosen);
    free(selection->left);
    memset(selection, 0, sizeof *selection);
}

/* injected[row]: the truth's row found there, or -1. */
static void invert_match(const struct truth *truth, size_t rows, long *injected)
{
    for (size_t row = 0; row < rows; row++)
        injected[row] = -1;
    for (size_t i = 0; truth && i < truth->rows; i++) {
        if (truth->row[i] >= 0)
            injected[truth->row[i]] = (long)i;
    }
}

static int place_chosen(struct selection *selection, struct catalogue *catalogue, const bool *keep,
                        const long *injected, const struct plane *image, int stamp_px, struct err *err)
{
    const double *x, *y;
    int code = catalogue_quantity(catalogue, "bx", &x, err);
    if (!code)
        code = catalogue_quantity(catalogue, "by", &y, err);
    for (size_t row = 0; row < catalogue_rows(catalogue) && !code; row++) {
        struct chosen chosen = {.row = row, .injected = injected[row]};
        if (!keep[row])
            continue;
        selection->selected++;
        if (stamp_place(x[row], y[row], stamp_px, image->width, image->height, &chosen.corner))
            selection->chosen[selection->count++] = chosen;
        else
            selection->edge++;
    }
    return code;
}

int selection_make(struct selection *selection, struct catalogue *catalogue, const struct truth *truth,
                   const struct cuts *cuts, const struct plane *image, int stamp_px, struct err *err)
{
    size_t rows = catalogue_rows(catalogue);
    CLEANUP(free_ptr) bool *keep = calloc(rows + 1, sizeof *keep);
    CLEANUP(free_ptr) long *injected = calloc(rows + 1, sizeof *injected);
    memset(selection, 0, sizeof *selection);
    selection->chosen = calloc(rows + 1, sizeof *selection->chosen);
    selection->left = calloc(cuts_count(cuts) + 1, sizeof *selection->left);
    if (!keep || !injected || !selection->chosen || !selection->left)
        return err_set(err, -ENOMEM, "out of memory for %s", catalogue_path(catalogue));
    invert_match(truth, rows, injected);
    for (size_t row = 0; row < rows; row++)
        keep[row] = catalogue_usable(catalogue)[row] && (!truth || injected[row] >= 0);
    int code = cuts_apply(cuts, catalogue, keep, selection->left, err);
    return code ? code : place_chosen(selection, catalogue, keep, injected, image, stamp_px, err);
}
