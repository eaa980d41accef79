/* See stamp.h. */
#include "daemon/worker/report/stamp.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct rgb NO_WEIGHT = {70, 40, 20};

static int find_invvar(const char *band, const char *const *channels, int count)
{
    for (int i = 0; i < count; i++) {
        if (strncmp(channels[i], "ivar_", 5) == 0 && strcmp(channels[i] + 5, band) == 0)
            return i;
    }
    return -1;
}

int stamp_layout_fill(struct stamp_layout *layout, int side_px, const char *const *channels, int count,
                      struct err *err)
{
    *layout = (struct stamp_layout){.side_px = side_px, .channels = count, .colour = {-1, -1, -1}};
    for (int i = 0; i < count; i++) {
        if (strncmp(channels[i], "ivar_", 5) == 0)
            continue;
        if (layout->bands == STAMP_BANDS_MAX)
            return err_set(err, -EINVAL, "stamps of more than %d bands cannot be shown", STAMP_BANDS_MAX);
        snprintf(layout->name[layout->bands], STAMP_NAME_MAX, "%s", channels[i]);
        layout->image[layout->bands] = i;
        layout->invvar[layout->bands++] = find_invvar(channels[i], channels, count);
    }
    if (layout->bands == 0)
        return err_set(err, -EINVAL, "none of the %d channels is an image", count);
    for (int i = 0; layout->bands >= 3 && i < 3; i++)
        layout->colour[i] = i * (layout->bands - 1) / 2;
    return 0;
}

static size_t pixel_count(const struct stamp_layout *layout)
{
    return (size_t)layout->side_px * (size_t)layout->side_px;
}

static float at(const struct stamp_layout *layout, const float *stamp, size_t pixel, int channel)
{
    return stamp[pixel * (size_t)layout->channels + (size_t)channel];
}

static int compare_floats(const void *left, const void *right)
{
    float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

/* The value below which `share` of a channel's finite pixels lie, of positive ones if asked; 0 without any.
 */
static double channel_quantile(const struct stamp_layout *layout, const float *stamp, int channel,
                               double share, bool positive)
{
    size_t n = 0;
    CLEANUP(free_ptr) float *values = malloc(pixel_count(layout) * sizeof *values);
    for (size_t i = 0; values && i < pixel_count(layout); i++) {
        float value = at(layout, stamp, i, channel);
        if (isfinite(value) && (!positive || value > 0))
            values[n++] = value;
    }
    if (n == 0)
        return 0;
    qsort(values, n, sizeof *values, compare_floats);
    return values[(size_t)(share * (double)(n - 1))];
}

/* Noise of a pixel: from invvar, or from the spread of the lower half of the pixels, which is sky. */
static double find_sigma(const struct stamp_layout *layout, const float *stamp, int band, double invvar)
{
    if (invvar > 0)
        return 1 / sqrt(invvar);
    double spread = channel_quantile(layout, stamp, layout->image[band], 0.5, false) -
                    channel_quantile(layout, stamp, layout->image[band], 0.1587, false);
    return spread > 0 ? spread : 1;
}

void stamp_scale_fill(struct stamp_scale *scale, const struct stamp_layout *layout,
                      const float *const *stamps, int count)
{
    *scale = (struct stamp_scale){0};
    for (int band = 0; band < layout->bands; band++) {
        double deepest = 0, top = 0, peak = 0;
        for (int i = 0; i < count && layout->invvar[band] >= 0; i++) {
            deepest = fmax(deepest, channel_quantile(layout, stamps[i], layout->invvar[band], 0.5, true));
            top = fmax(top, channel_quantile(layout, stamps[i], layout->invvar[band], 0.98, true));
        }
        scale->invvar[band] = deepest > 0 ? fmax(1.2 * deepest, 1.02 * top) : 1;
        scale->sigma[band] = find_sigma(layout, stamps[0], band, deepest);
        for (int i = 0; i < count; i++)
            peak = fmax(peak, channel_quantile(layout, stamps[i], layout->image[band], 0.998, false));
        scale->white[band] = fmax(10, peak / scale->sigma[band]);
    }
}

void stamp_colour(const double nmgy[3], const double scale[3], double rgb[3])
{
    const double softening = 20,
                 pedestal = 0.04; /* a little light added, so that the sky is not pure black */
    double mean = 0;
    for (int i = 0; i < 3; i++) {
        rgb[i] = fmax(0, nmgy[i] * scale[i] + pedestal);
        mean += rgb[i] / 3;
    }
    double stretched = asinh(softening * mean) / sqrt(softening);
    for (int i = 0; i < 3; i++)
        rgb[i] = mean > 0 ? fmin(1, rgb[i] * stretched / mean) : 0;
}

/* Nanomaggies of a band to the common scale of stamp_colour, by the band's name, one and a half times the
 * Legacy Surveys' viewer's, for the galaxies looked at are faint. */
static double colour_scale(const char *band)
{
    static const struct {
        const char *name;
        double scale;
    } known[] = {{"u", 12.0}, {"g", 9.0}, {"r", 5.1}, {"i", 4.5}, {"z", 3.3}, {"y", 3.0}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcasecmp(band, known[i].name) == 0)
            return known[i].scale;
    }
    return 4.5;
}

static bool has_weight(const struct stamp_layout *layout, const float *stamp, size_t pixel, int band)
{
    return layout->invvar[band] < 0 || at(layout, stamp, pixel, layout->invvar[band]) > 0;
}

static uint8_t level(double value)
{
    return (uint8_t)lround(255 * fmin(1, fmax(0, value)));
}

/* Draws pixel number `pixel` of a stamp, whose row 0 is at the bottom. */
static void draw_pixel(struct picture *picture, int x, int y, int zoom, int side_px, size_t pixel,
                       struct rgb colour)
{
    int row = (int)(pixel / (size_t)side_px), column = (int)(pixel % (size_t)side_px);
    picture_block(picture, x + column * zoom, y + (side_px - 1 - row) * zoom, zoom, colour);
}

void stamp_draw_colour(struct picture *picture, int x, int y, int zoom, const struct stamp_layout *layout,
                       const float *stamp)
{
    double nmgy[3], scale[3], rgb[3];
    int used[3];
    for (int c = 0; c < 3; c++) { /* red first */
        used[c] = layout->colour[0] < 0 ? 0 : layout->colour[2 - c];
        scale[c] = colour_scale(layout->name[used[c]]);
    }
    for (size_t i = 0; i < pixel_count(layout); i++) {
        for (int c = 0; c < 3; c++) {
            double value = at(layout, stamp, i, layout->image[used[c]]);
            nmgy[c] = isfinite(value) ? value : 0;
        }
        bool good = has_weight(layout, stamp, i, used[0]) && has_weight(layout, stamp, i, used[1]) &&
                    has_weight(layout, stamp, i, used[2]);
        stamp_colour(nmgy, scale, rgb);
        draw_pixel(picture, x, y, zoom, layout->side_px, i,
                   good ? (struct rgb){level(rgb[0]), level(rgb[1]), level(rgb[2])} : NO_WEIGHT);
    }
}

void stamp_draw_image(struct picture *picture, int x, int y, int zoom, const struct stamp_layout *layout,
                      const struct stamp_scale *scale, const float *stamp, int band)
{
    const double knee = 2, black = asinh(-3 / knee), white = asinh(scale->white[band] / knee);
    for (size_t i = 0; i < pixel_count(layout); i++) {
        double value = at(layout, stamp, i, layout->image[band]) / scale->sigma[band];
        uint8_t grey = level((asinh(value / knee) - black) / (white - black));
        bool good = isfinite(value) && has_weight(layout, stamp, i, band);
        draw_pixel(picture, x, y, zoom, layout->side_px, i,
                   good ? (struct rgb){grey, grey, grey} : NO_WEIGHT);
    }
}

void stamp_draw_invvar(struct picture *picture, int x, int y, int zoom, const struct stamp_layout *layout,
                       const struct stamp_scale *scale, const float *stamp, int band)
{
    for (size_t i = 0; i < pixel_count(layout) && layout->invvar[band] >= 0; i++) {
        double value = at(layout, stamp, i, layout->invvar[band]);
        uint8_t grey = level(value / scale->invvar[band]);
        draw_pixel(picture, x, y, zoom, layout->side_px, i,
                   value > 0 ? (struct rgb){grey, grey, grey} : NO_WEIGHT);
    }
}

static double gradient_length(const struct stamp_layout *layout, const float *gradient, size_t pixel,
                              int invvar)
{
    double sum = 0;
    for (int band = 0; band < layout->bands; band++) {
        int channel = invvar ? layout->invvar[band] : layout->image[band];
        double value = channel < 0 ? 0 : at(layout, gradient, pixel, channel);
        sum += value * value;
    }
    return sqrt(sum);
}

double stamp_gradient_peak(const struct stamp_layout *layout, const float *gradient)
{
    double peak = 0;
    for (size_t i = 0; i < pixel_count(layout); i++)
        peak = fmax(peak,
                    fmax(gradient_length(layout, gradient, i, 0), gradient_length(layout, gradient, i, 1)));
    return peak;
}

void stamp_draw_gradient(struct picture *picture, int x, int y, int zoom, const struct stamp_layout *layout,
                         const float *gradient, int invvar, double white)
{
    for (size_t i = 0; i < pixel_count(layout); i++) {
        double value = white > 0 ? gradient_length(layout, gradient, i, invvar) / white : 0;
        draw_pixel(picture, x, y, zoom, layout->side_px, i,
                   (struct rgb){level(1.6 * value), level(1.6 * value - 0.35), level(2.5 * value - 1.5)});
    }
}
