/* See detect.h. The filtered image is sum(G v s I) / sqrt(sum(G^2 v s^2)) over pixels and bands, G the
 * Gaussian, v the invvar, s the weights: pixels without exposure have no say, so that a source under a bad
 * column is one source. */
#include "daemon/worker/sky/detect.h"
#include "daemon/worker/sky/median.h"
#include "daemon/worker/sky/psf.h"

#include <errno.h>
#include <math.h>
#include <sep.h>
#include <string.h>

enum { REACH_MAX = 64, AREA_MIN = 5, DEBLEND_LEVELS = 32 };

#define SEGMENT_SIGMA    2.5   /* pixels above it belong to a source */
#define DEBLEND_CONTRAST 0.005 /* SExtractor's default */
#define FILTER_WIDTH     1.15  /* of the Gaussian, over the PSF's */

/* g - r = 0.62, r - z = 0.92 (population.c), in flux, r at 1. */
const double DETECT_WEIGHTS[BAND_COUNT] = {0.57, 1.0, 2.3};

#ifdef __SANITIZE_ADDRESS__
/* sep_extract of SEP 1.2.1 leaks two arrays of a byte a source; nothing of ours can free them. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libsep.so\n";
}

__attribute__((visibility("default"))) const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
#endif

struct kernel {
    int reach;
    float values[2 * REACH_MAX + 1];
};

static struct kernel kernel_of(double sigma_px)
{
    struct kernel kernel = {.reach = (int)fmin(ceil(3 * sigma_px), REACH_MAX)};
    for (int i = -kernel.reach; i <= kernel.reach; i++)
        kernel.values[i + kernel.reach] = (float)exp(-0.5 * i * i / (sigma_px * sigma_px));
    return kernel;
}

/* Both directions, in place; beyond the edges there is nothing. line has room for `width` values. */
static void smooth_rows(float *plane, float *line, long width, long height, const struct kernel *kernel)
{
    int reach = kernel->reach;
    for (long y = 0; y < height; y++) {
        float *row = plane + y * width;
        memset(line, 0, (size_t)width * sizeof *line);
        for (int k = -reach; k <= reach; k++) {
            long first = k < 0 ? -k : 0, last = k > 0 ? width - k : width;
            for (long x = first; x < last; x++)
                line[x] += kernel->values[k + reach] * row[x + k];
        }
        memcpy(row, line, (size_t)width * sizeof *line);
    }
}

static void smooth_columns(const float *plane, float *out, long width, long height,
                           const struct kernel *kernel)
{
    int reach = kernel->reach;
    memset(out, 0, (size_t)(width * height) * sizeof *out);
    for (long y = 0; y < height; y++) {
        for (int k = -reach; k <= reach; k++) {
            if (y + k < 0 || y + k >= height)
                continue;
            const float *from = plane + (y + k) * width;
            for (long x = 0; x < width; x++)
                out[y * width + x] += kernel->values[k + reach] * from[x];
        }
    }
}

/* data and weight, each filtered; on return data is signal over noise. */
static int filter(float *data, float *weight, const struct coadd *coadd, double sigma_px, struct err *err)
{
    size_t count = (size_t)(coadd->width * coadd->height);
    CLEANUP(free_ptr) float *spare = malloc(count * sizeof *spare);
    CLEANUP(free_ptr) float *line = malloc((size_t)coadd->width * sizeof *line);
    if (!spare || !line)
        return err_set(err, -ENOMEM, "out of memory for detection on %ld x %ld px", coadd->width,
                       coadd->height);
    struct kernel kernel = kernel_of(sigma_px), squared = kernel_of(sigma_px);
    for (int i = 0; i <= 2 * squared.reach; i++)
        squared.values[i] *= squared.values[i];
    smooth_rows(weight, line, coadd->width, coadd->height, &squared);
    smooth_columns(weight, spare, coadd->width, coadd->height, &squared);
    memcpy(weight, spare, count * sizeof *spare);
    smooth_rows(data, line, coadd->width, coadd->height, &kernel);
    smooth_columns(data, spare, coadd->width, coadd->height, &kernel);
    for (size_t i = 0; i < count; i++)
        data[i] = weight[i] > 0 ? spare[i] / sqrtf(weight[i]) : 0;
    return 0;
}

/* How much noisier the filtered image is than white noise of the invvar given would be (coadds whose pixels
 * were resampled have correlated noise), from the median of its negative values, which no source adds to. */
static double noise_factor(const float *snr, size_t count)
{
    enum { SAMPLE_MAX = 20000 };
    size_t kept = 0, stride = count / (2 * SAMPLE_MAX) | 1;
    CLEANUP(free_ptr) float *sample = malloc((count / stride + 1) * sizeof *sample);
    for (size_t i = 0; sample && i < count; i += stride) {
        if (snr[i] < 0)
            sample[kept++] = -snr[i];
    }
    if (kept < 100)
        return 1;
    return fmax(1, median_of(sample, kept) / 0.6745);
}

static int extract(struct detections *found, const float *snr, long width, long height, double factor,
                   struct err *err)
{
    sep_image image = {.data = snr, .dtype = SEP_TFLOAT, .w = (int)width, .h = (int)height};
    sep_catalog *catalog = NULL;
    char words[80] = "";
    sep_set_extract_pixstack((size_t)fmax(300000, 0.5 * (double)(width * height)));
    int status = sep_extract(&image, (float)(SEGMENT_SIGMA * factor), SEP_THRESH_ABS, AREA_MIN, NULL, 0, 0,
                             SEP_FILTER_CONV, DEBLEND_LEVELS, DEBLEND_CONTRAST, 1, 1.0, &catalog);
    if (status) {
        sep_get_errmsg(status, words);
        return err_set(err, -EIO, "detection failed: %s", words);
    }
    found->items = calloc((size_t)catalog->nobj + 1, sizeof *found->items);
    for (int i = 0; found->items && i < catalog->nobj; i++) {
        for (int p = 0; p < catalog->npix[i]; p++)
            found->segments[catalog->pix[i][p]] = i + 1;
        if (catalog->peak[i] >= DETECT_SIGMA * factor)
            found->items[found->count++] =
                (struct detection){catalog->x[i], catalog->y[i], catalog->peak[i] / factor, i + 1};
    }
    sep_catalog_free(catalog);
    return found->items ? 0 : err_set(err, -ENOMEM, "out of memory for detection");
}

int detections_find(struct detections *found, const struct coadd *coadd, const double fwhm_px[BAND_COUNT],
                    struct err *err)
{
    size_t count = (size_t)(coadd->width * coadd->height);
    CLEANUP(free_ptr) float *data = calloc(count, sizeof *data);
    CLEANUP(free_ptr) float *weight = calloc(count, sizeof *weight);
    double fwhm = 0;
    memset(found, 0, sizeof *found);
    found->segments = calloc(count, sizeof *found->segments);
    if (!data || !weight || !found->segments) {
        detections_free(found);
        return err_set(err, -ENOMEM, "out of memory for detection on %ld x %ld px", coadd->width,
                       coadd->height);
    }
    for (int b = 0; b < BAND_COUNT; b++) {
        const float s = (float)DETECT_WEIGHTS[b], *image = coadd->image[b].pixels,
                    *invvar = coadd->invvar[b].pixels;
        for (size_t i = 0; i < count; i++) {
            data[i] += s * invvar[i] * image[i];
            weight[i] += s * s * invvar[i];
        }
        fwhm += fwhm_px[b] / BAND_COUNT;
    }
    int code = filter(data, weight, coadd, FILTER_WIDTH * fwhm / PSF_FWHM_A_SIGMA, err);
    if (!code)
        code = extract(found, data, coadd->width, coadd->height, noise_factor(data, count), err);
    if (code)
        detections_free(found);
    return code;
}

void detections_free(struct detections *found)
{
    free(found->items);
    free(found->segments);
    memset(found, 0, sizeof *found);
}
