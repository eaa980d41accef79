/* See coadd.h. */
#include "daemon/worker/sky/coadd.h"
#include "common/rng.h"
#include "daemon/worker/sky/median.h"
#include "daemon/worker/sky/streams.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { SAMPLE_MAX = 20000, DITHER_SEEDS = 10000 };

#define IMAGE_STEPS_A_SIGMA   32
#define INVVAR_STEPS_A_MEDIAN 4000

/* Median of the positive values of a sample of the plane; 0 without one. */
static double plane_median(const struct plane *plane)
{
    size_t count = (size_t)plane->width * (size_t)plane->height, kept = 0;
    size_t stride = count / SAMPLE_MAX | 1;
    CLEANUP(free_ptr) float *sample = malloc((count / stride + 1) * sizeof *sample);
    if (!sample)
        return 0;
    for (size_t i = 0; i < count; i += stride) {
        if (plane->pixels[i] > 0)
            sample[kept++] = plane->pixels[i];
    }
    return median_of(sample, kept);
}

/* survey: where files of any ending are looked for; NULL: directory, which one of ours has written to. */
static int read_one(struct plane *plane, const struct survey *survey, const char *directory,
                    const struct brick *brick, const char *kind, int band, struct err *err)
{
    CLEANUP(free_ptr) char *path = NULL;
    int code = survey ? survey_find_plane(survey, brick, kind, BAND_NAMES[band], &path, err)
                      : survey_plane_path(directory, brick, kind, BAND_NAMES[band], &path, err);
    return code ? code : plane_read(plane, path, err);
}

static int check_one(struct coadd *coadd, const struct plane *plane, const char *kind, int band,
                     struct err *err)
{
    if (!coadd->width) {
        coadd->width = plane->width;
        coadd->height = plane->height;
    }
    if (plane->width == coadd->width && plane->height == coadd->height)
        return 0;
    return err_set(err, -EINVAL, "the %s in band %c is %ld x %ld px where the others are %ld x %ld", kind,
                   BAND_NAMES[band], plane->width, plane->height, coadd->width, coadd->height);
}

static int read_planes(struct coadd *coadd, const struct survey *survey, const char *directory,
                       const struct brick *brick, struct err *err)
{
    memset(coadd, 0, sizeof *coadd);
    int code = 0;
    for (int b = 0; !code && b < BAND_COUNT; b++) {
        code = read_one(&coadd->image[b], survey, directory, brick, "image", b, err);
        if (!code)
            code = check_one(coadd, &coadd->image[b], "image", b, err);
        if (!code)
            code = read_one(&coadd->invvar[b], survey, directory, brick, "invvar", b, err);
        if (!code)
            code = check_one(coadd, &coadd->invvar[b], "invvar", b, err);
        for (long i = 0; !code && i < coadd->width * coadd->height; i++)
            coadd->invvar[b].pixels[i] = fmaxf(coadd->invvar[b].pixels[i], 0);
    }
    if (code)
        coadd_free(coadd);
    return code;
}

int coadd_read(struct coadd *coadd, const struct survey *survey, const struct brick *brick, struct err *err)
{
    return read_planes(coadd, survey, NULL, brick, err);
}

int coadd_read_back(struct coadd *coadd, const char *directory, const struct brick *brick, struct err *err)
{
    return read_planes(coadd, NULL, directory, brick, err);
}

static int publish_one(const struct plane *plane, const char *directory, const struct brick *brick,
                       const char *kind, int band, double step, uint64_t seed, struct err *err)
{
    CLEANUP(free_ptr) char *path = NULL;
    struct rng rng;
    rng_init(&rng, seed, STREAM_DITHER, brick_index(brick) + (uint64_t)band * 2 + (kind[1] == 'n'));
    int dither = 1 + (int)rng_below(&rng, DITHER_SEEDS);
    int code = survey_plane_path(directory, brick, kind, BAND_NAMES[band], &path, err);
    return code ? code : plane_write(plane, path, (float)-step, dither, err); /* below 0: the step itself */
}

int coadd_publish(const struct coadd *coadd, const char *directory, const struct brick *brick, uint64_t seed,
                  struct err *err)
{
    int code = 0;
    for (int b = 0; !code && b < BAND_COUNT; b++) {
        double median = plane_median(&coadd->invvar[b]);
        double sigma = median > 0 ? 1 / sqrt(median) : 1;
        code = publish_one(&coadd->image[b], directory, brick, "image", b, sigma / IMAGE_STEPS_A_SIGMA, seed,
                           err);
        if (!code)
            code = publish_one(&coadd->invvar[b], directory, brick, "invvar", b,
                               (median > 0 ? median : 1) / INVVAR_STEPS_A_MEDIAN, seed, err);
    }
    return code;
}

void coadd_free(struct coadd *coadd)
{
    for (int b = 0; b < BAND_COUNT; b++) {
        plane_free(&coadd->image[b]);
        plane_free(&coadd->invvar[b]);
    }
    memset(coadd, 0, sizeof *coadd);
}

int light_make(float *light[BAND_COUNT], const struct coadd *coadd, struct err *err)
{
    for (int b = 0; b < BAND_COUNT; b++) {
        light[b] = calloc((size_t)(coadd->width * coadd->height), sizeof *light[b]);
        if (!light[b])
            return err_set(err, -ENOMEM, "out of memory for the light of a brick of %ld x %ld px",
                           coadd->width, coadd->height);
    }
    return 0;
}

void light_free(float *(*light)[BAND_COUNT])
{
    for (int b = 0; b < BAND_COUNT; b++)
        free((*light)[b]);
}
