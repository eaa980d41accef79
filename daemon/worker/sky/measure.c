/* See measure.h. A model's profile is round, so that it is a table over radius: the Hankel transform of
 * galaxy x PSF x pixel (the pixel's transform, a product of sincs, to second order e^(-k^2 / 24)). Pixels of
 * other sources' segments take no part. For a model T of unit flux the best flux is sum(v T I) / sum(v T^2),
 * and chi^2 falls by sum(v T I)^2 / sum(v T^2).
 *
 * Between the sizes of the row, chi^2 and fluxes are interpolated by parabolas in ln(size). */
#include "daemon/worker/sky/measure.h"
#include "daemon/worker/sky/median.h"
#include "daemon/worker/sky/psf.h"
#include "daemon/worker/sky/sersic.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { MODELS = 16, STEPS_A_PX = 16, REACH_MAX = 48, CENTRE_ROUNDS = 20, DEPTH_REACH = 20, DEPTH_STEP = 4 };

#define SIZE_FIRST_PX 0.35 /* of models 1 .. MODELS-1; model 0 is the point source */
#define SIZE_RATIO    1.3
#define GALAXY_CHI2   9.0 /* Tractor's margin for a galaxy over a point source, about */
#define SHAPED_SIGMA  3.0 /* an ellipticity below this many sigma is called round */

struct measurer {
    int reach;
    double sigma_px; /* Gaussian about as wide as the mean PSF */
    double norm2[BAND_COUNT];
    float (*models[BAND_COUNT])[MODELS]; /* at radius step / STEPS_A_PX */
};

/* Sums over pixels, for each band and model. */
struct sums {
    float data[BAND_COUNT][MODELS], norm[BAND_COUNT][MODELS];
};

static double model_size(double model)
{
    return SIZE_FIRST_PX * pow(SIZE_RATIO, model - 1);
}

/* One model's profile over radius. */
static void fill_model(struct measurer *measurer, struct hankel *hankel,
                       const struct sersic_transform *sersic, double fwhm, int band, int model)
{
    double values[HANKEL_POINTS], alpha = psf_alpha(fwhm), size = model ? model_size(model) : 0;
    for (int j = 0; j < HANKEL_POINTS; j++) {
        double k = hankel_grid(j);
        values[j] = psf_transform(k * alpha) * exp(-k * k / 24) / (2 * M_PI);
        if (model)
            values[j] *= sersic_transform_at(sersic, 2 * log(k * size));
    }
    hankel_transform(hankel, values, values);
    for (int i = 0; i <= measurer->reach * STEPS_A_PX + 1; i++) {
        double at = log(fmax(i, 0.02) / STEPS_A_PX) / HANKEL_STEP + HANKEL_POINTS / 2;
        int j = (int)at;
        measurer->models[band][i][model] = (float)(values[j] + (at - j) * (values[j + 1] - values[j]));
    }
}

int measurer_create(struct measurer **out, const double fwhm_px[BAND_COUNT], struct err *err)
{
    CLEANUP(measurer_destroy_ptr) struct measurer *measurer = calloc(1, sizeof *measurer);
    CLEANUP(hankel_destroy_ptr) struct hankel *hankel = NULL;
    struct sersic_transform exponential;
    double fwhm = 0;
    for (int b = 0; b < BAND_COUNT; b++)
        fwhm += fwhm_px[b] / BAND_COUNT;
    int code =
        measurer ? hankel_create(&hankel, err) : err_set(err, -ENOMEM, "out of memory for measuring sources");
    if (code)
        return code;
    sersic_transform_fill(&exponential, hankel, 1);
    measurer->reach = (int)fmin(fmax(ceil(3.2 * fwhm), 10), REACH_MAX);
    measurer->sigma_px = fwhm / PSF_FWHM_A_SIGMA;
    for (int b = 0; b < BAND_COUNT; b++) {
        measurer->norm2[b] = psf_norm2(fwhm_px[b]);
        measurer->models[b] = calloc((size_t)measurer->reach * STEPS_A_PX + 2, sizeof *measurer->models[b]);
        if (!measurer->models[b])
            return err_set(err, -ENOMEM, "out of memory for measuring sources");
        for (int m = 0; m < MODELS; m++)
            fill_model(measurer, hankel, &exponential, fwhm_px[b], b, m);
    }
    *out = TAKE(measurer);
    return 0;
}

void measurer_destroy(struct measurer *measurer)
{
    if (!measurer)
        return;
    for (int b = 0; b < BAND_COUNT; b++)
        free(measurer->models[b]);
    free(measurer);
}

/* The window about a source that is looked at. */
struct window {
    long x0, x1, y0, y1; /* x0 <= x < x1 */
    int segment;
};

static struct window window_at(const struct coadd *coadd, double x, double y, int reach, int segment)
{
    long cx = lrint(x), cy = lrint(y);
    return (struct window){cx - reach < 0 ? 0 : cx - reach,
                           cx + reach >= coadd->width ? coadd->width : cx + reach + 1,
                           cy - reach < 0 ? 0 : cy - reach,
                           cy + reach >= coadd->height ? coadd->height : cy + reach + 1, segment};
}

static bool pixel_is_ours(const int *segments, long at, int segment)
{
    return !segments[at] || segments[at] == segment;
}

/* Weighted mean of the bands at a pixel, as detection sees it. */
static double combined(const struct coadd *coadd, long at)
{
    double data = 0, weight = 0;
    for (int b = 0; b < BAND_COUNT; b++) {
        double v = coadd->invvar[b].pixels[at] * DETECT_WEIGHTS[b];
        data += v * coadd->image[b].pixels[at];
        weight += v * DETECT_WEIGHTS[b];
    }
    return weight > 0 ? data / weight : 0;
}

struct moments {
    double sum, x, y, xx, xy, yy;
};

/* Moments about (x, y) under a Gaussian of width sigma. */
static struct moments window_moments(const struct coadd *coadd, const int *segments, struct window window,
                                     double x, double y, double sigma)
{
    struct moments m = {0};
    for (long j = window.y0; j < window.y1; j++) {
        for (long i = window.x0; i < window.x1; i++) {
            long at = j * coadd->width + i;
            double dx = (double)i - x, dy = (double)j - y, r2 = dx * dx + dy * dy;
            if (r2 > 16 * sigma * sigma || !pixel_is_ours(segments, at, window.segment))
                continue;
            double w = exp(-0.5 * r2 / (sigma * sigma)) * combined(coadd, at);
            m.sum += w;
            m.x += w * dx;
            m.y += w * dy;
            m.xx += w * dx * dx;
            m.xy += w * dx * dy;
            m.yy += w * dy * dy;
        }
    }
    return m;
}

/* Windowed centre (SExtractor's XWIN): moves by twice the weighted mean offset until it rests. Stays where
 * detection put it when it runs away. */
static void find_centre(const struct measurer *measurer, const struct coadd *coadd,
                        const struct detections *found, const struct detection *source,
                        struct measured *measured)
{
    double x = source->x_px, y = source->y_px, sigma = 1.2 * measurer->sigma_px, step = 1;
    for (int round = 0; round < CENTRE_ROUNDS && step > 1e-3; round++) {
        struct window window = window_at(coadd, x, y, (int)ceil(4 * sigma), source->segment);
        struct moments m = window_moments(coadd, found->segments, window, x, y, sigma);
        if (!(m.sum > 0))
            break;
        double dx = 2 * m.x / m.sum, dy = 2 * m.y / m.sum;
        step = hypot(dx, dy);
        x += dx;
        y += dy;
        if (!(hypot(x - source->x_px, y - source->y_px) < measurer->sigma_px))
            break;
    }
    bool astray = !(hypot(x - source->x_px, y - source->y_px) < measurer->sigma_px);
    measured->x_px = astray ? source->x_px : x;
    measured->y_px = astray ? source->y_px : y;
}

static void sum_models(const struct measurer *measurer, const struct coadd *coadd, const int *segments,
                       struct window window, double x, double y, struct sums *sums)
{
    memset(sums, 0, sizeof *sums);
    for (long j = window.y0; j < window.y1; j++) {
        for (long i = window.x0; i < window.x1; i++) {
            long at = j * coadd->width + i;
            float step = (float)(STEPS_A_PX * hypot((double)i - x, (double)j - y));
            int low = (int)step;
            if (low >= measurer->reach * STEPS_A_PX || !pixel_is_ours(segments, at, window.segment))
                continue;
            float t = step - (float)low;
            for (int b = 0; b < BAND_COUNT; b++) {
                const float *near = measurer->models[b][low], *far = measurer->models[b][low + 1];
                float v = coadd->invvar[b].pixels[at], data = v * coadd->image[b].pixels[at];
                for (int m = 0; m < MODELS; m++) {
                    float model = near[m] + t * (far[m] - near[m]);
                    sums->data[b][m] += data * model;
                    sums->norm[b][m] += v * model * model;
                }
            }
        }
    }
}

/* How much of chi^2 a model takes away; light must be positive. */
static double model_gain(const struct sums *sums, int model)
{
    double gain = 0;
    for (int b = 0; b < BAND_COUNT; b++) {
        double data = sums->data[b][model], norm = sums->norm[b][model];
        if (data > 0 && norm > 0)
            gain += data * data / norm;
    }
    return gain;
}

static double parabola(double left, double middle, double right, double t)
{
    return middle + 0.5 * t * (right - left + t * (left - 2 * middle + right));
}

/* Fluxes at model + t, -1 < t < 1. */
static void take_fluxes(const struct sums *sums, int model, double t, struct measured *measured)
{
    for (int b = 0; b < BAND_COUNT; b++) {
        double flux[3] = {0}, norm[3];
        for (int i = 0; i < 3; i++) {
            int m = t == 0 ? model : model - 1 + i;
            norm[i] = sums->norm[b][m];
            flux[i] = norm[i] > 0 ? sums->data[b][m] / norm[i] : 0;
        }
        measured->flux[b] = parabola(flux[0], flux[1], flux[2], t);
        measured->flux_ivar[b] = fmax(parabola(norm[0], norm[1], norm[2], t), 0);
    }
}

/* The best size, between the sizes of the row. */
static void choose_model(const struct sums *sums, struct measured *measured)
{
    double gains[MODELS], t = 0, curve = 0;
    int best = 1;
    for (int m = 0; m < MODELS; m++) {
        gains[m] = model_gain(sums, m);
        if (m > best && gains[m] > gains[best])
            best = m;
    }
    if (best > 1 && best < MODELS - 1) {
        curve = gains[best - 1] - 2 * gains[best] + gains[best + 1];
        t = curve < 0 ? fmin(fmax(0.5 * (gains[best - 1] - gains[best + 1]) / curve, -0.5), 0.5) : 0;
    }
    double top = t == 0 ? gains[best] : parabola(gains[best - 1], gains[best], gains[best + 1], t);
    measured->gain_chi2 = top - gains[0];
    measured->snr = sqrt(fmax(top, gains[0]));
    if (measured->gain_chi2 < GALAXY_CHI2) {
        strcpy(measured->type, "PSF");
        take_fluxes(sums, 0, 0, measured);
        return;
    }
    strcpy(measured->type, "REX");
    take_fluxes(sums, best, t, measured);
    measured->rhalf_px = model_size(best + t);
    double step = log(SIZE_RATIO) * measured->rhalf_px; /* px a model, here */
    measured->rhalf_ivar = curve < 0 ? -0.5 * curve / (step * step) : 0;
}

/* Ellipticity from Gaussian-weighted second moments, the weight and the PSF taken for Gaussians: the inverse
 * covariances of source and weight add up to that of their product. */
static void measure_shape(const struct measurer *measurer, const struct coadd *coadd, const int *segments,
                          int segment, struct measured *measured)
{
    double psf2 = measurer->sigma_px * measurer->sigma_px;
    double sigma2 = psf2 + 0.7 * measured->rhalf_px * measured->rhalf_px;
    struct window window = window_at(coadd, measured->x_px, measured->y_px, measurer->reach, segment);
    struct moments m = window_moments(coadd, segments, window, measured->x_px, measured->y_px, sqrt(sigma2));
    double xx = m.xx / m.sum, yy = m.yy / m.sum, xy = m.xy / m.sum, det = xx * yy - xy * xy;
    if (!(m.sum > 0) || !(det > 0))
        return;
    double ixx = yy / det - 1 / sigma2, iyy = xx / det - 1 / sigma2, ixy = -xy / det,
           inverse = ixx * iyy - ixy * ixy;
    if (!(inverse > 0) || !(ixx > 0))
        return;
    double cxx = iyy / inverse - psf2, cyy = ixx / inverse - psf2, cxy = -ixy / inverse, trace = cxx + cyy;
    if (!(trace > 0))
        return;
    /* With a^2, b^2 the axes of the covariance: (a^2 - b^2) / (a + b)^2 = (a - b) / (a + b). */
    double area = sqrt(fmax(cxx * cyy - cxy * cxy, 0));
    double plus = (cxx - cyy) / (trace + 2 * area), cross = 2 * cxy / (trace + 2 * area);
    double size = hypot(plus, cross), noise = 2 / measured->snr * (trace + 2 * psf2) / trace;
    if (size < SHAPED_SIGMA * noise)
        return;
    double limited = fmin(size, 0.95) / size;
    measured->e1 =
        -plus * limited; /* from +x towards +y is a quarter turn more than from north through east */
    measured->e2 = -cross * limited;
    strcpy(measured->type, "EXP");
}

/* Median of the exposed pixels around, where other sources' and its own photons weigh little. */
static double invvar_around(const struct coadd *coadd, int band, double x, double y)
{
    enum { COUNT = (2 * DEPTH_REACH / DEPTH_STEP + 2) * (2 * DEPTH_REACH / DEPTH_STEP + 2) };
    struct window window = window_at(coadd, x, y, DEPTH_REACH, 0);
    float values[COUNT];
    size_t count = 0;
    for (long j = window.y0; j < window.y1; j += DEPTH_STEP) {
        for (long i = window.x0; i < window.x1; i += DEPTH_STEP) {
            float v = coadd->invvar[band].pixels[j * coadd->width + i];
            if (v > 0)
                values[count++] = v;
        }
    }
    return median_of(values, count);
}

void measure_source(const struct measurer *measurer, const struct coadd *coadd,
                    const struct detections *found, size_t which, struct measured *measured)
{
    const struct detection *source = &found->items[which];
    struct sums sums;
    memset(measured, 0, sizeof *measured);
    find_centre(measurer, coadd, found, source, measured);
    struct window window = window_at(coadd, measured->x_px, measured->y_px, measurer->reach, source->segment);
    sum_models(measurer, coadd, found->segments, window, measured->x_px, measured->y_px, &sums);
    choose_model(&sums, measured);
    if (measured->rhalf_px > 0)
        measure_shape(measurer, coadd, found->segments, source->segment, measured);
    long x = lrint(measured->x_px), y = lrint(measured->y_px);
    for (int b = 0; b < BAND_COUNT; b++) {
        measured->invvar_around[b] = invvar_around(coadd, b, measured->x_px, measured->y_px);
        measured->psfdepth[b] = measured->invvar_around[b] * measurer->norm2[b];
        if (x >= 0 && x < coadd->width && y >= 0 && y < coadd->height)
            measured->invvar[b] = coadd->invvar[b].pixels[y * coadd->width + x];
    }
}
