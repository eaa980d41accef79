/* See wcs.h. WCSLIB's wcsprm keeps scratch space: one struct wcs serves one thread at a time. */
#include "daemon/worker/sky/wcs.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <wcslib/wcs.h>
#include <wcslib/wcshdr.h>

enum { CARD_SIZE = 80, AXES = 2, BLOCK = 1024, BAD_PIXEL_STATUS = 8, BAD_WORLD_STATUS = 9 };

struct wcs {
    struct wcsprm *all; /* what the header holds; the first is used */
    int count;
    double pixscale_arcsec;
};

/* arcsec: the square root of a pixel's area at CRPIX. wcsset has turned CD and CROTA into cdelt and pc. */
static double measure_pixscale(const struct wcsprm *prm)
{
    double determinant = prm->pc[0] * prm->pc[3] - prm->pc[1] * prm->pc[2];
    return sqrt(fabs(prm->cdelt[0] * prm->cdelt[1] * determinant)) * 3600;
}

static int check_axes(struct wcs *wcs, const char *path, struct err *err)
{
    struct wcsprm *prm = wcs->all;
    if (wcs->count < 1 || prm->naxis != AXES)
        return err_set(err, -EINVAL, "%s has no WCS of two axes in its header", path);
    int status = wcsset(prm);
    if (status)
        return err_set(err, -EINVAL, "the WCS of %s is not usable: %s", path, wcs_errmsg[status]);
    if (prm->lng < 0 || prm->lat < 0)
        return err_set(err, -EINVAL, "the WCS of %s has no right ascension and declination", path);
    wcs->pixscale_arcsec = measure_pixscale(prm);
    return 0;
}

int wcs_open(struct wcs **out, const char *header, const char *path, struct err *err)
{
    CLEANUP(wcs_close_ptr) struct wcs *wcs = calloc(1, sizeof *wcs);
    CLEANUP(free_ptr) char *cards = strdup(header); /* wcspih takes it as writable */
    int rejected = 0;
    if (!wcs || !cards)
        return err_set(err, -ENOMEM, "out of memory for the WCS of %s", path);
    int status =
        wcspih(cards, (int)(strlen(cards) / CARD_SIZE), WCSHDR_all, 0, &rejected, &wcs->count, &wcs->all);
    if (status)
        return err_set(err, -EINVAL, "cannot read the WCS of %s: %s", path, wcshdr_errmsg[status]);
    int code = check_axes(wcs, path, err);
    if (!code)
        *out = TAKE(wcs);
    return code;
}

void wcs_close(struct wcs *wcs)
{
    if (!wcs)
        return;
    wcsvfree(&wcs->count, &wcs->all);
    free(wcs);
}

double wcs_pixscale(const struct wcs *wcs)
{
    return wcs->pixscale_arcsec;
}

/* Coordinates for WCSLIB, pairs side by side; room for one block. */
struct block {
    double from[BLOCK][AXES], to[BLOCK][AXES], image[BLOCK][AXES], phi[BLOCK], theta[BLOCK];
    int status[BLOCK];
};

/* Runs one block; points that have no counterpart become NaN. */
static int convert_block(struct wcsprm *prm, struct block *block, int count, bool to_pixel, struct err *err)
{
    int status = to_pixel ? wcss2p(prm, count, AXES, block->from[0], block->phi, block->theta,
                                   block->image[0], block->to[0], block->status)
                          : wcsp2s(prm, count, AXES, block->from[0], block->image[0], block->phi,
                                   block->theta, block->to[0], block->status);
    if (status && status != BAD_PIXEL_STATUS && status != BAD_WORLD_STATUS)
        return err_set(err, -EINVAL, "the WCS cannot convert coordinates: %s", wcs_errmsg[status]);
    for (int i = 0; status && i < count; i++) {
        if (block->status[i])
            block->to[i][0] = block->to[i][1] = NAN;
    }
    return 0;
}

/* a0, a1 -> b0, b1, where axis[] says which of WCSLIB's two is the first; 1 is added or taken away. */
static int convert(struct wcs *wcs, size_t count, const double *a0, const double *a1, double *b0, double *b1,
                   bool to_pixel, struct err *err)
{
    struct wcsprm *prm = wcs->all;
    int a_first = to_pixel ? prm->lng : 0, a_second = to_pixel ? prm->lat : 1;
    int b_first = to_pixel ? 0 : prm->lng, b_second = to_pixel ? 1 : prm->lat;
    double before = to_pixel ? 0 : 1, after = to_pixel ? -1 : 0; /* FITS counts pixels from 1 */
    CLEANUP(free_ptr) struct block *block = malloc(sizeof *block);
    if (!block)
        return err_set(err, -ENOMEM, "out of memory for coordinates");
    for (size_t done = 0; done < count; done += BLOCK) {
        int some = (int)(count - done < BLOCK ? count - done : BLOCK);
        for (int i = 0; i < some; i++) {
            block->from[i][a_first] = a0[done + (size_t)i] + before;
            block->from[i][a_second] = a1[done + (size_t)i] + before;
        }
        int code = convert_block(prm, block, some, to_pixel, err);
        if (code)
            return code;
        for (int i = 0; i < some; i++) {
            b0[done + (size_t)i] = block->to[i][b_first] + after;
            b1[done + (size_t)i] = block->to[i][b_second] + after;
        }
    }
    return 0;
}

int wcs_to_pixel(struct wcs *wcs, size_t count, const double *ra_deg, const double *dec_deg, double *x_px,
                 double *y_px, struct err *err)
{
    return convert(wcs, count, ra_deg, dec_deg, x_px, y_px, true, err);
}

int wcs_to_sky(struct wcs *wcs, size_t count, const double *x_px, const double *y_px, double *ra_deg,
               double *dec_deg, struct err *err)
{
    return convert(wcs, count, x_px, y_px, ra_deg, dec_deg, false, err);
}
