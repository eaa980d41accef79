/* See measure.h. Pixels with invvar 0 are no pixels: bad columns and chip edges differ from brick to brick.
 * Centroids are windowed as SExtractor's XWIN_IMAGE (its manual, "Windowed positional parameters"):
 * x <- x + 2 sum w f (x' - x) / sum w f with a Gaussian w, free of the pull of neighbours and far noise. */
#include "daemon/worker/audit/measure.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define WINDOW_SIGMA_PX 3.0
#define LEAST_SNR       10.0 /* fainter sources have no centroid worth counting */
enum { WINDOW_PX = 10, STEPS_MAX = 30, WANDER_PX = 6 };

static int find_channel(int channels, const char *const *names, const char *prefix, const char *name)
{
    for (int c = 0; c < channels; c++) {
        size_t length = strlen(prefix);
        if (strncmp(names[c], prefix, length) == 0 && strcmp(names[c] + length, name) == 0)
            return c;
    }
    return -1;
}

/* A band's name stands in gnuplot's scripts: what is no letter or digit could say something there. */
static void copy_name(char *to, size_t size, const char *name)
{
    snprintf(to, size, "%s", name);
    for (; *to; to++) {
        if (!isalnum((unsigned char)*to))
            *to = '_';
    }
}

static void find_bands(struct layout *layout, const char *const *names)
{
    for (int c = 0; c < layout->channels && layout->bands < BANDS_MAX; c++) {
        int ivar = strncmp(names[c], "ivar_", 5) == 0
                       ? -1
                       : find_channel(layout->channels, names, "ivar_", names[c]);
        if (ivar < 0)
            continue;
        layout->image[layout->bands] = c;
        layout->ivar[layout->bands] = ivar;
        copy_name(layout->names[layout->bands], sizeof layout->names[0], names[c]);
        if (strcmp(names[c], "r") == 0)
            layout->reference = layout->bands;
        layout->bands++;
    }
}

/* The middle of a stamp: sources lie in the pixel S/2, at its centre on the mean. */
static double distance_of(const struct layout *layout, int x, int y)
{
    double dx = x - layout->side / 2, dy = y - layout->side / 2;
    return sqrt(dx * dx + dy * dy);
}

static void map_zones(struct layout *layout)
{
    const int side = layout->side, edge = side / 8 ? side / 8 : 1;
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            const int i = y * side + x;
            const bool rim = x < edge || y < edge || x >= side - edge || y >= side - edge;
            double distance = distance_of(layout, x, y), ring = distance * 2 * RINGS / side;
            layout->ring[i] = ring < RINGS ? (uint8_t)ring : 255;
            layout->zone[i] = rim ? 2 : distance <= (side / 16 ? side / 16 : 1) ? 1 : 0;
            if (rim)
                layout->rim[layout->rim_count++] = (uint32_t)i;
        }
    }
}

int layout_make(struct layout *layout, int side, int channels, const char *const *names, struct err *err)
{
    const size_t pixels = (size_t)side * (size_t)side;
    *layout = (struct layout){.side = side, .channels = channels};
    find_bands(layout, names);
    if (layout->bands == 0)
        return err_set(err, -EINVAL, "no channel has its invvar beside it (g and ivar_g, ...)");
    layout->rim = calloc(pixels, sizeof *layout->rim);
    layout->ring = calloc(pixels, 1);
    layout->zone = calloc(pixels, 1);
    if (!layout->rim || !layout->ring || !layout->zone) {
        layout_free(layout);
        return err_set(err, -ENOMEM, "out of memory");
    }
    map_zones(layout);
    return 0;
}

void layout_free(struct layout *layout)
{
    free(layout->rim);
    free(layout->ring);
    free(layout->zone);
    memset(layout, 0, sizeof *layout);
}

/* Hoare's selection: the k-th smallest, reordering values. No value is NAN. */
static float select_kth(float *values, ptrdiff_t count, ptrdiff_t k)
{
    ptrdiff_t low = 0, high = count - 1;
    while (low < high) {
        const float pivot = values[low + (high - low) / 2];
        ptrdiff_t i = low, j = high;
        while (i <= j) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i > j)
                break;
            float swapped = values[i];
            values[i++] = values[j];
            values[j--] = swapped;
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            break;
    }
    return values[k];
}

/* Upper median; NAN of nothing. */
static float median(float *values, size_t count)
{
    return count ? select_kth(values, (ptrdiff_t)count, (ptrdiff_t)(count / 2)) : NAN;
}

/* Positive invvar of every second row and column. */
static float median_ivar(const struct layout *layout, const float *ivar, float *scratch)
{
    const size_t side = (size_t)layout->side, channels = (size_t)layout->channels;
    size_t count = 0;
    for (size_t y = 0; y < side; y += 2) {
        for (size_t x = 0; x < side; x += 2) {
            float value = ivar[(y * side + x) * channels];
            scratch[count] = value;
            count += value > 0;
        }
    }
    return median(scratch, count);
}

static void measure_ivar(const struct layout *layout, const float *ivar, float middle, float *dip,
                         float *masked, float *rings)
{
    const size_t pixels = (size_t)layout->side * (size_t)layout->side, channels = (size_t)layout->channels;
    float ring_sums[256] = {0}, zone_sums[3] = {0};
    uint32_t ring_counts[256] = {0}, zone_counts[3] = {0};
    for (size_t i = 0; i < pixels; i++) {
        const float value = ivar[i * channels];
        const bool good = value > 0;
        ring_sums[layout->ring[i]] += good ? value : 0;
        ring_counts[layout->ring[i]] += good;
        zone_sums[layout->zone[i]] += good ? value : 0;
        zone_counts[layout->zone[i]] += good;
    }
    for (int r = 0; r < RINGS; r++)
        rings[r] = ring_counts[r] ? ring_sums[r] / (float)ring_counts[r] / middle - 1 : NAN;
    *masked = 1 - (float)(zone_counts[0] + zone_counts[1] + zone_counts[2]) / (float)pixels;
    bool known = zone_counts[1] && zone_counts[2];
    *dip =
        known ? (zone_sums[1] / (float)zone_counts[1] - zone_sums[2] / (float)zone_counts[2]) / middle : NAN;
}

/* Level and scatter of the rim, in image units. */
static void measure_rim(const struct layout *layout, const float *image, const float *ivar, float *scratch,
                        float *level, float *scatter)
{
    const size_t channels = (size_t)layout->channels;
    size_t count = 0;
    for (size_t i = 0; i < layout->rim_count; i++) {
        size_t at = layout->rim[i] * channels;
        scratch[count] = image[at];
        count += ivar[at] > 0 && isfinite(image[at]);
    }
    *level = median(scratch, count);
    for (size_t i = 0; i < count; i++)
        scratch[i] = fabsf(scratch[i] - *level);
    *scatter = 1.4826f * median(scratch, count);
}

struct pairs {
    double products, squares;
};

static void add_pair(struct pairs *pairs, float a, float b, float limit)
{
    if (fabsf(a) < limit && fabsf(b) < limit) {
        pairs->products += (double)a * b;
        pairs->squares += 0.5 * ((double)a * a + (double)b * b);
    }
}

/* Neighbours along x and y, both in the rim, below 4 sigma: what is a source is not noise. */
static float measure_texture(const struct layout *layout, const float *image, const float *ivar, float level,
                             float scatter, float *scratch)
{
    const size_t side = (size_t)layout->side, channels = (size_t)layout->channels;
    struct pairs pairs = {0, 0};
    for (size_t i = 0; i < side * side; i++) {
        bool good = layout->zone[i] == 2 && ivar[i * channels] > 0;
        scratch[i] = good ? image[i * channels] - level : INFINITY;
    }
    for (size_t i = 0; i < layout->rim_count; i++) {
        size_t at = layout->rim[i];
        if (at % side + 1 < side)
            add_pair(&pairs, scratch[at], scratch[at + 1], 4 * scatter);
        if (at + side < side * side)
            add_pair(&pairs, scratch[at], scratch[at + side], 4 * scatter);
    }
    return pairs.squares > 0 ? (float)(pairs.products / pairs.squares) : NAN;
}

struct window {
    double flux, variance, x, y; /* sums of w f, w^2 / ivar, w f dx, w f dy */
};

static struct window sum_window(const struct layout *layout, const float *pixels, float level, double x0,
                                double y0)
{
    const int side = layout->side, channels = layout->channels;
    const float *image = pixels + layout->image[layout->reference],
                *ivar = pixels + layout->ivar[layout->reference];
    const int left = (int)x0 - WINDOW_PX, bottom = (int)y0 - WINDOW_PX;
    double across[2 * WINDOW_PX + 1];
    struct window sums = {0};
    for (int i = 0; i <= 2 * WINDOW_PX; i++)
        across[i] = exp(-0.5 * (left + i - x0) * (left + i - x0) / (WINDOW_SIGMA_PX * WINDOW_SIGMA_PX));
    for (int y = bottom < 0 ? 0 : bottom; y <= bottom + 2 * WINDOW_PX && y < side; y++) {
        const double up = exp(-0.5 * (y - y0) * (y - y0) / (WINDOW_SIGMA_PX * WINDOW_SIGMA_PX));
        for (int x = left < 0 ? 0 : left; x <= left + 2 * WINDOW_PX && x < side; x++) {
            const int at = (y * side + x) * channels;
            if (!(ivar[at] > 0))
                continue;
            const double weight = up * across[x - left], light = weight * (image[at] - level);
            sums.flux += light;
            sums.x += light * (x - x0);
            sums.y += light * (y - y0);
            sums.variance += weight * weight / ivar[at];
        }
    }
    return sums;
}

static void measure_centroid(const struct layout *layout, const float *pixels, float level, float *x_px,
                             float *y_px)
{
    const double start = layout->side / 2;
    double x = start, y = start;
    *x_px = *y_px = NAN;
    for (int step = 0; step < STEPS_MAX; step++) {
        const struct window sums = sum_window(layout, pixels, level, x, y);
        if (!(sums.flux > LEAST_SNR * sqrt(sums.variance)))
            return;
        const double dx = 2 * sums.x / sums.flux, dy = 2 * sums.y / sums.flux;
        x += dx;
        y += dy;
        if (!(fabs(x - start) < WANDER_PX && fabs(y - start) < WANDER_PX))
            return;
        if (fabs(dx) < 1e-3 && fabs(dy) < 1e-3)
            break;
    }
    *x_px = (float)x;
    *y_px = (float)y;
}

void measure_stamp(const struct layout *layout, const float *pixels, float *scratch, struct measure *measure,
                   float rings[BANDS_MAX][RINGS])
{
    const size_t items = (size_t)layout->side * (size_t)layout->side * (size_t)layout->channels;
    memset(measure, 0, sizeof *measure);
    measure->hash = XXH3_64bits(pixels, items * sizeof *pixels);
    measure->x_px = measure->y_px = NAN;
    for (int b = 0; b < layout->bands; b++) {
        const float *image = pixels + layout->image[b], *ivar = pixels + layout->ivar[b];
        float level, scatter, middle = median_ivar(layout, ivar, scratch), sigma = 1 / sqrtf(middle);
        measure_ivar(layout, ivar, middle, &measure->dip[b], &measure->masked[b], rings[b]);
        measure_rim(layout, image, ivar, scratch, &level, &scatter);
        measure->level[b] = level / sigma;
        measure->noise[b] = scatter / sigma;
        measure->texture[b] = measure_texture(layout, image, ivar, level, scatter, scratch);
        if (b == layout->reference)
            measure_centroid(layout, pixels, level, &measure->x_px, &measure->y_px);
    }
}
