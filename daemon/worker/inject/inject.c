/* Job inject: adds fakes to the coadds of a survey, in obiwan's layout. Of every brick and realisation:
 * <out>/coadd/<AAA>/<brick>/<rs>/ (image and invvar), obiwan/<AAA>/<brick>/<rs>/simcat-elg-<brick>.fits (what
 * was put in), and tractor/<AAA>/<brick>/<rs>/tractor-<brick>.fits (what is found on the new planes, as read
 * back). rs is rs<k x fakes a brick>.
 *
 * A fake differs from a galaxy of a mock in nothing: drawn from the same population by the same renderer,
 * with the same shot noise, on places that know nothing of what stands there. */
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/inject/fakes.h"
#include "daemon/worker/job.h"
#include "daemon/worker/sky/brickwork.h"
#include "daemon/worker/sky/streams.h"
#include "proto/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#define UNSHIFT_ARCSEC 1.5 /* a catalogue row this near to a fake's light is the fake's */

struct injection {
    const char *out;
    struct survey *survey;
    struct prior *prior; /* NULL: the mock's population */
    uint64_t seed;
    size_t per_brick;
    double min_separation_px, gain;
    struct spoils spoils;
    struct brick *runs; /* every brick, every realisation */
    long run_count;
};

enum { COUNT_FAKES, COUNT_DETECTED };
static const char *const COUNT_NAMES[] = {"fakes", "detected", NULL};

static struct spoils read_spoils(const json_t *spec)
{
    return (struct spoils){
        .psf_scale = spec_real(spec, "psf_scale"),
        .flux_scale = spec_real(spec, "flux_scale"),
        .size_scale = spec_real(spec, "size_scale"),
        .shift_px = spec_real(spec, "shift_px"),
        .invvar_dip = spec_real(spec, "invvar_dip"),
        .no_noise = spec_bool(spec, "no_noise"),
    };
}

/* The survey's brick that a run was made from. */
static struct brick parent_of(const struct brick *run)
{
    struct brick parent = *run;
    memset(parent.run, 0, sizeof parent.run);
    return parent;
}

static int list_inputs(void *context, const struct brick *run, struct file_list *list, struct err *err)
{
    const struct injection *injection = context;
    struct brick parent = parent_of(run);
    char *path = NULL;
    int code = list_survey_planes(list, injection->survey, &parent, err);
    if (!code)
        code = survey_find_catalogue(injection->survey, &parent, &path, err);
    if (!code)
        file_list_add(list, path);
    return code;
}

/* Fakes for a run; *rows is the caller's to free. */
static int draw_fakes(const struct injection *injection, const struct brick *run, const struct coadd *coadd,
                      struct simcat_row **rows, size_t *count, struct err *err)
{
    CLEANUP(free_ptr) double *x = NULL;
    CLEANUP(free_ptr) double *y = NULL;
    struct rng places, fakes;
    rng_init(&places, injection->seed, STREAM_PLACES, brick_index(run));
    rng_init(&fakes, injection->seed, STREAM_FAKES, brick_index(run));
    *count = places_draw(coadd->width, coadd->height, injection->min_separation_px, injection->per_brick,
                         &places, &x, &y);
    *rows = calloc(*count + 1, sizeof **rows);
    if (!*count || !*rows)
        return err_set(err, -ENOMEM, "out of memory for the fakes of brick %s", run->name);
    fakes_draw(*rows, *count, x, y, injection->prior, &fakes);
    return 0;
}

static int publish_truth(const struct injection *injection, const struct brick *run,
                         const struct observation *observation, struct wcs *wcs,
                         const struct simcat_row *rows, size_t count, struct brick_yield *yield,
                         struct err *err)
{
    CLEANUP(free_ptr) char *path = NULL;
    int code = survey_truth_path(injection->out, run, &path, err);
    if (!code)
        code = simcat_publish(path, observation, wcs, rows, count, false, err);
    if (!code)
        file_list_add(&yield->files, TAKE(path));
    return code;
}

/* The catalogue of the new coadd as it lies on disk. */
static int publish_catalogue(const struct injection *injection, const struct brick *run,
                             const struct observation *observation, struct wcs *wcs,
                             const struct simcat_row *rows, size_t count, struct brick_yield *yield,
                             struct err *err)
{
    CLEANUP(coadd_free) struct coadd coadd = {0};
    CLEANUP(free_ptr) struct measured *found = NULL;
    CLEANUP(free_ptr) char *path = NULL;
    size_t found_count = 0;
    int code = coadd_read_back(&coadd, injection->out, run, err);
    if (!code)
        code = sources_measure(&coadd, observation, &found, &found_count, err);
    if (!code)
        code = survey_catalogue_path(injection->out, run, &path, err);
    if (code)
        return code;
    fakes_unshift(found, found_count, rows, count, &injection->spoils,
                  UNSHIFT_ARCSEC / observation->pixscale_arcsec);
    code = tractor_publish(path, run, observation, wcs, found, found_count, err);
    if (!code)
        file_list_add(&yield->files, TAKE(path));
    yield->counts[COUNT_DETECTED] = (double)found_count;
    return code;
}

static int publish_run(const struct injection *injection, const struct brick *run, const struct coadd *coadd,
                       const struct observation *observation, const struct simcat_row *rows, size_t count,
                       struct brick_yield *yield, struct err *err)
{
    CLEANUP(wcs_close_ptr) struct wcs *wcs = NULL;
    int code = wcs_open(&wcs, coadd->image[0].header, run->name, err);
    if (!code)
        code = coadd_publish(coadd, injection->out, run, injection->seed, err);
    if (!code)
        code = list_planes(&yield->files, injection->out, run, err);
    if (!code)
        code = publish_truth(injection, run, observation, wcs, rows, count, yield, err);
    if (!code)
        code = publish_catalogue(injection, run, observation, wcs, rows, count, yield, err);
    return code;
}

static int make_run(void *context, const struct brick *run, struct brick_yield *yield, struct err *err)
{
    const struct injection *injection = context;
    const struct brick parent = parent_of(run);
    CLEANUP(coadd_free) struct coadd coadd = {0};
    CLEANUP(free_ptr) struct simcat_row *rows = NULL;
    struct observation observation;
    size_t count = 0;
    int code = coadd_read(&coadd, injection->survey, &parent, err);
    if (!code)
        code = observation_read(&observation, injection->survey, &parent, &coadd, err);
    if (!code)
        code = draw_fakes(injection, run, &coadd, &rows, &count, err);
    if (!code)
        code = fakes_add(&coadd, rows, count, &observation, &injection->spoils, injection->gain,
                         injection->seed, run, err);
    if (!code)
        code = publish_run(injection, run, &coadd, &observation, rows, count, yield, err);
    yield->counts[COUNT_FAKES] = (double)count;
    return code;
}

/* Every brick of the survey, every realisation: rs0, rs<n>, rs<2n>, ... with n fakes a brick, or 300
 * (obiwan's) where that is left to the space there is. */
static int list_runs(struct injection *injection, long realisations, struct err *err)
{
    enum { RUN_STEP = 300 };
    size_t count = 0, step = injection->per_brick ? injection->per_brick : RUN_STEP;
    const struct brick *bricks = survey_bricks(injection->survey, &count);
    injection->runs = calloc(count * (size_t)realisations + 1, sizeof *injection->runs);
    if (!injection->runs)
        return err_set(err, -ENOMEM, "out of memory for %zu bricks", count);
    for (size_t i = 0; i < count; i++) {
        if (bricks[i].run[0])
            return err_set(err, -EINVAL,
                           "%s is a simulation (brick %s has run %s); survey must be one without fakes",
                           survey_directory(injection->survey), bricks[i].name, bricks[i].run);
        for (long k = 0; k < realisations; k++) {
            struct brick *run = &injection->runs[injection->run_count++];
            *run = bricks[i];
            snprintf(run->run, sizeof run->run, "rs%zu", (size_t)k * step);
        }
    }
    return 0;
}

/* What all runs depend on: the spec, and the prior's content. */
static int describe_job(const struct job *job, json_t **made_from, struct err *err)
{
    const char *prior = spec_text(job->spec, "prior");
    uint64_t checksum = 0;
    int code = prior ? file_checksum(prior, &checksum, err) : 0;
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, checksum);
    *made_from = json_deep_copy(job->spec);
    json_object_del(*made_from, "out");
    json_object_del(*made_from, "realisations");
    json_object_del(*made_from, "max_bad");
    json_object_del(*made_from, "brick_time");
    json_object_set_new(*made_from, "prior_xxh3", json_string(text));
    json_object_set_new(*made_from, "kind", json_string("inject"));
    json_object_set_new(*made_from, "version", json_string(DECOY_VERSION));
    return code;
}

static int inject_all(struct injection *injection, struct job *job, struct err *err)
{
    json_t *result = NULL, *made_from = NULL;
    int code = describe_job(job, &made_from, err);
    const struct brickwork work = {.out = injection->out,
                                   .survey = survey_directory(injection->survey),
                                   .bricks = injection->runs,
                                   .count = injection->run_count,
                                   .max_bad = spec_real(job->spec, "max_bad"),
                                   .limit_s = spec_real(job->spec, "brick_time"),
                                   .made_from = made_from,
                                   .names = COUNT_NAMES,
                                   .context = injection,
                                   .inputs = list_inputs,
                                   .make = make_run};
    if (!code)
        code = brickwork_run(&work, job, &result, err);
    if (!code && result)
        code = link_result(job->link, json_incref(result), err);
    json_decref(result);
    json_decref(made_from);
    return code;
}

int inject_run(struct job *job, struct err *err)
{
    const json_t *spec = job->spec;
    const char *prior = spec_text(spec, "prior");
    struct injection injection = {.out = spec_text(spec, "out"),
                                  .seed = (uint64_t)spec_int(spec, "seed"),
                                  .per_brick = (size_t)spec_int(spec, "per_brick"),
                                  .gain = spec_real(spec, "gain"),
                                  .min_separation_px = spec_real(spec, "min_separation"),
                                  .spoils = read_spoils(spec)};
    if (!injection.per_brick && !(injection.min_separation_px > 0))
        return err_set(err, -EINVAL, "min_separation is 0: give per_brick, for any number would fit");
    int code = survey_open(&injection.survey, spec_text(spec, "survey"), err);
    if (!code && prior)
        code = prior_open(&injection.prior, prior, err);
    if (!code)
        code = list_runs(&injection, spec_int(spec, "realisations"), err);
    if (!code)
        code = path_make_directories(injection.out, 0777, err);
    if (!code)
        code = inject_all(&injection, job, err);
    survey_close(injection.survey);
    prior_close(injection.prior);
    free(injection.runs);
    return code;
}
