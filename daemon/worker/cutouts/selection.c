/* See selection.h. */
#include "daemon/worker/cutouts/selection.h"

#include <errno.h>
#include <math.h>
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

/* Adds what has its stamp inside the image or, with pad, itself. There is room. */
static void add_chosen(struct selection *selection, struct chosen chosen, const struct plane *image,
                       int stamp_px, bool pad)
{
    chosen.edge =
        !stamp_place(chosen.x_px, chosen.y_px, stamp_px, image->width, image->height, &chosen.corner);
    selection->selected++;
    selection->edge += chosen.edge;
    if (!chosen.edge || (pad && stamp_owned(chosen.x_px, chosen.y_px, image->width, image->height)))
        selection->chosen[selection->count++] = chosen;
}

static int place_kept(struct selection *selection, struct catalogue *catalogue, const bool *keep,
                      const long *injected, const struct plane *image, int stamp_px, bool pad,
                      struct err *err)
{
    static const char *const names[] = {"bx", "by", "ra", "dec"};
    const double *values[4];
    int code = 0;
    for (int i = 0; i < 4 && !code; i++)
        code = catalogue_quantity(catalogue, names[i], &values[i], err);
    for (size_t row = 0; row < catalogue_rows(catalogue) && !code; row++) {
        if (keep[row])
            add_chosen(selection,
                       (struct chosen){.row = (long)row,
                                       .injected = injected[row],
                                       .x_px = values[0][row],
                                       .y_px = values[1][row],
                                       .ra_deg = values[2][row],
                                       .dec_deg = values[3][row]},
                       image, stamp_px, pad);
    }
    return code;
}

int selection_make(struct selection *selection, struct catalogue *catalogue, const struct truth *truth,
                   const struct cuts *cuts, const struct plane *image, int stamp_px, bool pad,
                   struct err *err)
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
    return code ? code : place_kept(selection, catalogue, keep, injected, image, stamp_px, pad, err);
}

int selection_take_all(struct selection *selection, const struct truth *truth, const struct plane *image,
                       int stamp_px, bool pad, struct err *err)
{
    memset(selection, 0, sizeof *selection);
    selection->chosen = calloc(truth->rows + 1, sizeof *selection->chosen);
    if (!selection->chosen)
        return err_set(err, -ENOMEM, "out of memory for %zu stamps", truth->rows);
    for (size_t i = 0; i < truth->rows; i++) {
        if (isfinite(truth->x[i]) && isfinite(truth->y[i]))
            add_chosen(selection,
                       (struct chosen){.row = truth->row[i],
                                       .injected = (long)i,
                                       .x_px = truth->x[i],
                                       .y_px = truth->y[i],
                                       .ra_deg = truth->ra[i],
                                       .dec_deg = truth->dec[i]},
                       image, stamp_px, pad);
    }
    return 0;
}

void selection_drop(struct selection *selection, const bool *blank)
{
    size_t kept = 0;
    for (size_t i = 0; i < selection->count; i++) {
        if (!blank[i])
            selection->chosen[kept++] = selection->chosen[i];
    }
    selection->blank = selection->count - kept;
    selection->count = kept;
}
