/* Stamps as panels: a colour picture, each band in grey, each invvar in grey. A stamp is float32 (side, side,
 * channels), row 0 at the bottom, as in a FITS viewer: north up where y runs north. */
#ifndef DECOY_REPORT_STAMP_H
#define DECOY_REPORT_STAMP_H

#include "daemon/worker/report/picture.h"

enum { STAMP_BANDS_MAX = 8, STAMP_NAME_MAX = 32 };

/* Which channel is what, from the channels' names: "g" is an image, "ivar_g" its inverse variance. */
struct stamp_layout {
    int side_px, channels, bands;
    char name[STAMP_BANDS_MAX][STAMP_NAME_MAX]; /* cut where it is longer */
    int image[STAMP_BANDS_MAX];
    int invvar[STAMP_BANDS_MAX]; /* -1: none */
    int colour[3];               /* bands for blue, green, red; [0] is -1 with fewer than three bands */
};

/* -EINVAL with more than STAMP_BANDS_MAX bands, or none. */
int stamp_layout_fill(struct stamp_layout *layout, int side_px, const char *const *channels, int count,
                      struct err *err);

/* What black and white are, so that stamps beside one another are shown alike. */
struct stamp_scale {
    double
        sigma[STAMP_BANDS_MAX]; /* image: noise of a pixel, from the median invvar; asinh from -3 sigma ... */
    double white[STAMP_BANDS_MAX];  /* ... to this many sigma */
    double invvar[STAMP_BANDS_MAX]; /* white of invvar, which is linear from 0: 1.2 of the median, or the 98th
                                       percentile */
};

/* Of up to count stamps together (the largest median invvar among them is the scale's). */
void stamp_scale_fill(struct stamp_scale *scale, const struct stamp_layout *layout,
                      const float *const *stamps, int count);

/* Panels of side_px x zoom squared with their top left at (x, y). Pixels without weight (in
 * any of its bands, for colour) are brown. */
void stamp_draw_colour(struct picture *picture, int x, int y, int zoom, const struct stamp_layout *layout,
                       const float *stamp);
void stamp_draw_image(struct picture *picture, int x, int y, int zoom, const struct stamp_layout *layout,
                      const struct stamp_scale *scale, const float *stamp, int band);
void stamp_draw_invvar(struct picture *picture, int x, int y, int zoom, const struct stamp_layout *layout,
                       const struct stamp_scale *scale, const float *stamp, int band);

/* Length of the gradient over the image channels (invvar = 0) or the invvar channels (1), black to yellow.
 * white: the length shown brightest; stamp_gradient_peak is the largest over both kinds. */
double stamp_gradient_peak(const struct stamp_layout *layout, const float *gradient);
void stamp_draw_gradient(struct picture *picture, int x, int y, int zoom, const struct stamp_layout *layout,
                         const float *gradient, int invvar, double white);

/* Red, green, blue in 0 .. 1 from nanomaggies, with a common asinh of the mean, which keeps colours where a
 * band would saturate: Lupton et al. 2004, PASP 116, 133, softened as in the Legacy Surveys' viewer. */
void stamp_colour(const double nmgy[3], const double scale[3], double rgb[3]);

#endif
