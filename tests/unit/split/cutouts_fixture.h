/* Small directories of cutout files, and the jobs that read them, for the tests of dataset, split and audit.
 */
#ifndef DECOY_TESTS_CUTOUTS_FIXTURE_H
#define DECOY_TESTS_CUTOUTS_FIXTURE_H

#include "common/path.h"
#include "common/rng.h"
#include "common/str.h"
#include "daemon/worker/dataset/cutout_file.h"
#include "daemon/worker/job.h"
#include "proto/spec.h"
#include "tests/unit/check.h"

#include <math.h>

enum {
    FIXTURE_SIDE = 16,
    FIXTURE_CHANNELS = 6,
    FIXTURE_ROW = FIXTURE_SIDE * FIXTURE_SIDE * FIXTURE_CHANNELS
};

/* A stamp of a brick: how it deviates from a clean one is up to `change` (may be NULL). */
struct fixture_stamp {
    int brick, label;
    size_t row, serial;
    float *pixels; /* (side, side, channels) */
};
typedef void fixture_change(struct fixture_stamp *stamp);

struct fixture {
    int bricks;
    size_t per_brick; /* stamps a class and brick; brick b has b % 3 more real ones */
    fixture_change *change;
    const char *compression[2];                                     /* of real and fake; NULL: "RICE_1" */
    double mag_offset_fake, red_offset_fake, neighbour_factor_fake; /* 0: as of reals */
};

static inline void fixture_draw(struct fixture_stamp *stamp)
{
    struct rng rng;
    rng_init(&rng, 5, (uint32_t)stamp->label, (uint64_t)stamp->brick << 32 | stamp->row);
    const double x0 = FIXTURE_SIDE / 2 + rng_range(&rng, 0, 1), y0 = FIXTURE_SIDE / 2 + rng_range(&rng, 0, 1);
    for (int i = 0; i < FIXTURE_SIDE * FIXTURE_SIDE; i++) {
        double dx = i % FIXTURE_SIDE - x0, dy = i / FIXTURE_SIDE - y0,
               light = 20 * exp(-0.5 * (dx * dx + dy * dy) / 2);
        for (int b = 0; b < 3; b++) {
            stamp->pixels[i * FIXTURE_CHANNELS + 2 * b] = (float)(light + rng_normal(&rng));
            stamp->pixels[i * FIXTURE_CHANNELS + 2 * b + 1] = (float)(1 + 0.02 * rng_normal(&rng));
        }
    }
}

static inline void fixture_publish(const struct fixture *fixture, const char *root, int brick, int label)
{
    const size_t count = fixture->per_brick + (label == 0 ? (size_t)brick % 3 : 0);
    float *images = calloc(count + 1, FIXTURE_ROW * sizeof *images), *mag = calloc(count + 1, sizeof *mag);
    float *red = calloc(count + 1, sizeof *red), *neighbour = calloc(count + 1, sizeof *neighbour);
    int64_t *id = calloc(count + 1, sizeof *id);
    double *ra = calloc(count + 1, sizeof *ra), *dec = calloc(count + 1, sizeof *dec);
    char *names = calloc(count + 1, 8), brickname[16];
    snprintf(brickname, sizeof brickname, "%04dp%03d", brick, 10);
    for (size_t i = 0; i < count; i++) {
        struct rng rng;
        struct fixture_stamp stamp = {brick, label, i, ((size_t)brick * 2 + (size_t)label) * 1000 + i,
                                      images + i * FIXTURE_ROW};
        fixture_draw(&stamp);
        if (fixture->change)
            fixture->change(&stamp);
        rng_init(&rng, 6, (uint32_t)label, (uint64_t)brick << 32 | i);
        id[i] = (int64_t)stamp.serial;
        ra[i] = 10 + brick + rng_uniform(&rng);
        dec[i] = rng_range(&rng, 0.9, 1.1);
        mag[i] = (float)(23 + 0.5 * rng_normal(&rng) + (label ? fixture->mag_offset_fake : 0));
        red[i] = (float)(mag[i] - 0.5 + 0.2 * rng_normal(&rng) + (label ? fixture->red_offset_fake : 0));
        neighbour[i] = (float)(-5 * log(1 - rng_uniform(&rng)));
        if (label && fixture->neighbour_factor_fake > 0)
            neighbour[i] *= (float)fixture->neighbour_factor_fake;
        memcpy(names + 8 * i, brickname, 8);
    }
    static const char *const CHANNELS[] = {"g", "ivar_g", "r", "ivar_r", "z", "ivar_z"};
    const struct cutout_column columns[] = {
        {"brickname", CUTOUT_TEXT, 8, NULL, names},
        {"id", CUTOUT_INT64, 0, NULL, id},
        {"ra", CUTOUT_REAL64, 0, "deg", ra},
        {"dec", CUTOUT_REAL64, 0, "deg", dec},
        {"mag_g", CUTOUT_REAL32, 0, "mag", mag},
        {"mag_r", CUTOUT_REAL32, 0, "mag", red},
        {"neighbour", CUTOUT_REAL32, 0, "arcsec", neighbour},
        {"only_real", CUTOUT_REAL64, 0, NULL, ra},
    };
    CLEANUP(free_ptr) char *folder = str_format("%s/%s/%.3s", root, label ? "fake" : "real", brickname);
    CLEANUP(free_ptr) char *path = str_format("%s/%s%s.h5", folder, brickname, label ? "-rs0" : "");
    const char *compression = fixture->compression[label] ? fixture->compression[label] : "RICE_1";
    json_t *attributes =
        json_pack("{ss ss si}", "compression", compression, "version", "0.1.0", "job", label + 7);
    assert_int_equal(path_make_directories(folder, 0777, NULL), 0);
    assert_int_equal(cutout_file_publish(path, images, count, FIXTURE_SIDE, CHANNELS, FIXTURE_CHANNELS,
                                         columns, label ? 7 : 8, attributes, NULL),
                     0);
    json_decref(attributes);
    free(images);
    free(mag);
    free(red);
    free(neighbour);
    free(id);
    free(ra);
    free(dec);
    free(names);
}

/* The cutout files in a fresh directory, the caller's to free. */
static inline char *fixture_make(const struct fixture *fixture)
{
    CLEANUP(free_ptr) char *directory = check_directory();
    char *root = path_join(directory, "cutouts");
    for (int brick = 0; brick < fixture->bricks; brick++) {
        for (int label = 0; label < 2; label++)
            fixture_publish(fixture, root, brick, label);
    }
    return root;
}

/* Runs a job kind on one rank with its result in out/result.json; `given` is taken. */
static inline int fixture_run(const char *kind, job_run *run, json_t *given, struct err *err)
{
    json_t *spec;
    const char *out = json_string_value(json_object_get(given, "out"));
    int code = spec_resolve(spec_kind_find(kind, NULL), given, &spec, err);
    assert_int_equal(code, 0);
    assert_int_equal(path_make_directories(out, 0777, NULL), 0);
    setenv("DECOY_ATTEMPT_DIR", out, 1);
    struct job job = {.spec = spec, .threads = 1};
    assert_int_equal(team_create(&job.team, NULL), 0);
    assert_int_equal(link_create(&job.link, 0, NULL), 0);
    code = run(&job, err);
    link_destroy(job.link);
    team_destroy(job.team);
    json_decref(spec);
    json_decref(given);
    return code;
}

/* The dataset of a fixture's cutouts, beside them; the caller's to free. */
static inline char *fixture_split(const char *cutouts, int seed, struct err *err)
{
    CLEANUP(free_ptr) char *directory = path_directory(cutouts);
    char *out = path_join(directory, "dataset");
    json_t *given = json_pack("{ss ss si si}", "out", out, "cutouts", cutouts, "seed", seed, "shard", 64);
    if (fixture_run("split", split_run, given, err) == 0)
        return out;
    free(out);
    return NULL;
}

#endif
