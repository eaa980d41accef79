/* The job `split`: files of stamps of both classes to a dataset (dataset/dataset.h tells its files).
 *
 * All ranks look at the files (scan.c); rank 0 gives stamps to parts (parts.c) and to places (plan.c); all ranks shuffle them
 * into shards (shuffle.c, shards.c), handed out run by run, then bucket by bucket; rank 0 writes index.h5 and,
 * when all is on disk, the manifest. Without a manifest there is no dataset: it is the first to go when split
 * starts again. What is needed on the way lies in <out>/.split, which is gone at the end, whatever the end. The
 * bytes are a function of the stamps and the fields, whatever the number of ranks and the buffer. */
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/dataset.h"
#include "daemon/worker/job.h"
#include "daemon/worker/split/index.h"
#include "daemon/worker/split/outcome.h"
#include "daemon/worker/split/parts.h"
#include "daemon/worker/split/plan.h"
#include "daemon/worker/split/scan.h"
#include "daemon/worker/split/shards.h"
#include "daemon/worker/split/shuffle.h"
#include "daemon/worker/split/twins.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

struct split {
    struct job *job;
    const char *out;
    char *aside;        /* <out>/.split */
    struct scan scan;   /* rank 0 */
    struct parts parts; /* rank 0 */
    struct plan plan;
    struct shuffle *shuffle;
    double done, work;          /* examples moved by this rank; by all, in both passes */
    struct histogram histogram; /* of this rank's training shards, then of all */
    json_t *shards;             /* {shard: its entry}: of this rank, then of all */
};

static void split_free(struct split *split)
{
    scan_free(&split->scan);
    parts_free(&split->parts);
    plan_free(&split->plan);
    shuffle_destroy(split->shuffle);
    histogram_free(&split->histogram);
    json_decref(split->shards);
    free(split->aside);
}

/* A name that split gives, now or on its way there. */
static bool is_ours(const char *name)
{
    static const char *const PATTERNS[] = {"[xy]@(train|valid|test)_+([0-9]).@(npy|h5)",
                                           ".[xy]@(train|valid|test)_*.part", ".index.h5.*.part",
                                           ".manifest.json.*.part"};
    for (size_t i = 0; i < sizeof PATTERNS / sizeof *PATTERNS; i++) {
        if (fnmatch(PATTERNS[i], name, FNM_EXTMATCH) == 0)
            return true;
    }
    return false;
}

static int remove_file(const char *directory, const char *name, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, name);
    if (unlink(path) != 0 && errno != ENOENT)
        return err_set(err, -errno, "cannot remove %s: %s", path, strerror(errno));
    return 0;
}

/* <out>/.split and what is in it: files only. */
static int remove_aside(const char *aside, struct err *err)
{
    DIR *folder = opendir(aside);
    if (!folder)
        return errno == ENOENT ? 0 : err_set(err, -errno, "cannot read %s: %s", aside, strerror(errno));
    int code = 0;
    for (struct dirent *entry; !code && (entry = readdir(folder)) != NULL;) {
        if (fnmatch("@(run|rows)-+([0-9])", entry->d_name, FNM_EXTMATCH) == 0)
            code = remove_file(aside, entry->d_name, err);
    }
    closedir(folder);
    if (!code && rmdir(aside) != 0 && errno != ENOENT)
        code = err_set(err, -errno, "cannot remove %s: %s", aside, strerror(errno));
    return code;
}

/* What an earlier attempt left, its manifest first. */
static int remove_stale(const struct split *split, struct err *err)
{
    const char *directory = split->out;
    int code = remove_file(directory, "manifest.json", err);
    if (!code)
        code = remove_file(directory, "index.h5", err);
    if (!code)
        code = remove_aside(split->aside, err);
    DIR *folder = code ? NULL : opendir(directory);
    if (!code && !folder)
        return err_set(err, -errno, "cannot read %s: %s", directory, strerror(errno));
    for (struct dirent *entry; !code && (entry = readdir(folder)) != NULL;) {
        if (is_ours(entry->d_name))
            code = remove_file(directory, entry->d_name, err);
    }
    if (folder)
        closedir(folder);
    return code;
}

static int choose_parts(struct split *split, struct err *err)
{
    static const char *const BY[] = {"brick", "cell", "object"};
    const json_t *spec = split->job->spec;
    struct parts_rule rule = {.test = spec_real(spec, "test"),
                              .valid = spec_real(spec, "valid"),
                              .cell_deg = spec_real(spec, "cell"),
                              .guard_arcsec = spec_real(spec, "guard"),
                              .seed = (uint64_t)spec_int(spec, "seed")};
    while (strcmp(BY[rule.by], spec_text(spec, "by")) != 0)
        rule.by++;
    if (rule.by == PARTS_BY_OBJECT)
        link_warning(split->job->link,
                     "by object, stamps of two parts show the same sky: neighbours and other "
                     "realisations of what a network was trained on are in the test part, and "
                     "what it remembers of them counts as skill");
    return parts_choose(&split->parts, &split->scan, &rule, err);
}

static int find_roots(const json_t *spec, struct scan_roots *roots, struct err *err)
{
    *roots =
        (struct scan_roots){spec_text(spec, "cutouts"), {spec_text(spec, "real"), spec_text(spec, "fake")}};
    if (roots->both || (roots->each[CLASS_REAL] && roots->each[CLASS_FAKE]))
        return 0;
    return err_set(err, -EINVAL,
                   "split needs --cutouts, or --real and --fake: where the stamps of both classes are");
}

/* Rank 0's part before the others can begin. */
static int clear(struct split *split, struct scan_roots *roots, struct err *err)
{
    int code = find_roots(split->job->spec, roots, err);
    if (!code)
        code = path_make_directories(split->out, 0777, err);
    return code ? code : remove_stale(split, err);
}

/* Rank 0's part once it knows the files. */
static int make_plan(struct split *split, const struct scan_roots *roots, struct err *err)
{
    const json_t *spec = split->job->spec;
    if (split->scan.left_out)
        link_warning(split->job->link, "%zu edge stamps of another size than the others are left out",
                     split->scan.left_out);
    int code = choose_parts(split, err);
    if (!code && split->parts.copies)
        link_note(split->job->link,
                  "left out, since another part has the galaxy from another brick: %zu stamp%s",
                  split->parts.copies, split->parts.copies == 1 ? "" : "s");
    if (!code)
        code = plan_make(&split->plan, &split->scan, split->parts.stamps,
                         strcmp(spec_text(spec, "classes"), "balanced") == 0, spec_real(spec, "test") > 0,
                         (uint64_t)spec_int(spec, "seed"), (size_t)spec_int(spec, "shard"), err);
    if (code)
        return err_prefix(err, "%s", roots->both ? roots->both : roots->each[CLASS_REAL]);
    return path_make_directories(split->aside, 0777, err);
}

static int prepare(struct split *split, struct err *err)
{
    struct team *team = split->job->team;
    struct scan_roots roots = {0};
    const bool first = team_rank(team) == 0;
    int code = first ? clear(split, &roots, err) : 0;
    if (!code)
        code = scan_cutouts(&split->scan, &roots, team, split->job->link, err);
    if (!code && first)
        code = make_plan(split, &roots, err);
    return code ? code : plan_share(&split->plan, team, err);
}

static void tell_progress(struct split *split, size_t examples)
{
    split->done += (double)examples;
    link_progress(split->job->link, split->done, split->work, "examples");
}

static int spill_run(struct split *split, size_t run, struct err *err)
{
    int code = shuffle_gather(split->shuffle, run, err);
    if (!code)
        code = shuffle_spill(split->shuffle, run, err);
    if (!code)
        tell_progress(split, shuffle_batch(split->shuffle)->count);
    return code;
}

static int write_shard(struct split *split, const struct shard_style *style, size_t i, struct err *err)
{
    struct batch *batch = shuffle_batch(split->shuffle);
    json_t *entry;
    char name[24];
    shard_count_pixels(&split->plan, batch, i, &split->histogram);
    int code = shard_publish(style, &split->plan, batch, i, &entry, err);
    if (code)
        return code;
    snprintf(name, sizeof name, "%zu", i);
    json_object_set_new(split->shards, name, entry);
    tell_progress(split, plan_shard(&split->plan, i).count);
    return 0;
}

static int write_bucket(struct split *split, size_t bucket, struct err *err)
{
    const json_t *spec = split->job->spec;
    const struct shard_style style = {split->out, strcmp(spec_text(spec, "format"), "hdf5") == 0,
                                      strcmp(spec_text(spec, "orientation"), "dplearn") == 0};
    size_t shard, count;
    int code = shuffle_runs(split->shuffle) > 1 ? shuffle_load(split->shuffle, bucket, err)
                                                : shuffle_gather(split->shuffle, 0, err);
    if (!code)
        code = index_put(split->aside, shuffle_batch(split->shuffle), bucket, err);
    shuffle_bucket_shards(split->shuffle, bucket, &shard, &count);
    for (size_t i = shard; i < shard + count && !code && !link_stop_asked(split->job->link); i++)
        code = write_shard(split, &style, i, err);
    return code;
}

/* Pieces of work until none is left. A rank asked to stop goes on asking, so that the others get their answers. */
static int claim_all(struct split *split, size_t count, int (*work)(struct split *, size_t, struct err *),
                     struct err *err)
{
    int code = 0;
    for (long i; (i = team_claim(split->job->team, (long)count)) < (long)count;) {
        if (code || link_stop_asked(split->job->link))
            continue;
        code = work(split, (size_t)i, err);
        if (code && team_size(split->job->team) > 1)
            return code; /* ends the other ranks too */
    }
    return code;
}

static size_t buffer_bytes(const struct split *split)
{
    return (size_t)spec_int(split->job->spec, "buffer") << 20;
}

static int shuffle_all(struct split *split, struct err *err)
{
    struct team *team = split->job->team;
    int code = shuffle_create(&split->shuffle, &split->plan, buffer_bytes(split), team_size(team),
                              split->aside, err);
    if (code)
        return code;
    const bool twice = shuffle_runs(split->shuffle) > 1;
    split->work = (double)split->plan.total * (twice ? 2 : 1);
    if (twice) {
        code = claim_all(split, shuffle_runs(split->shuffle), spill_run, err);
        if (code)
            return code;
        team_claim_reset(team);
    }
    return claim_all(split, shuffle_buckets(split->shuffle), write_bucket, err);
}

/* Entries of all ranks' shards to rank 0, in their order, as an array. */
static int collect_shards(struct split *split, struct err *err)
{
    struct team *team = split->job->team;
    CLEANUP(free_ptr) char *mine = json_dumps(split->shards, JSON_COMPACT);
    CLEANUP(free_ptr) char **texts = NULL;
    int code = team_gather_text(team, mine ? mine : "{}", &texts);
    if (code)
        return err_set(err, code, "out of memory for the shards of all ranks");
    if (team_rank(team) > 0)
        return 0;
    for (int rank = 0; rank < team_size(team); rank++) {
        json_t *theirs = NULL;
        if (!code)
            code = json_parse_bytes(texts[rank], strlen(texts[rank]), &theirs, err);
        json_object_update(split->shards, theirs);
        json_decref(theirs);
        free(texts[rank]);
    }
    json_t *ordered = json_array();
    for (size_t i = 0; i < plan_shard_count(&split->plan) && !code; i++) {
        char name[24];
        snprintf(name, sizeof name, "%zu", i);
        if (json_array_append(ordered, json_object_get(split->shards, name)) != 0)
            code = err_set(err, -EPROTO, "no rank has reported shard %zu", i);
    }
    json_decref(split->shards);
    split->shards = ordered;
    return code;
}

/* {"g": {"median"}, ...}, a new reference; the counts of all ranks are added up (exactly: they are whole
 * numbers below 2^53). Collective. */
static int sum_normalisation(struct split *split, json_t **constants, struct err *err)
{
    const int channels = split->histogram.channels;
    CLEANUP(free_ptr) double *counts = calloc(HISTOGRAM_BINS, sizeof *counts);
    if (!counts)
        return err_set(err, -ENOMEM, "out of memory");
    *constants = json_object();
    for (int c = 0; c < channels; c++) {
        for (size_t bin = 0; bin < HISTOGRAM_BINS; bin++)
            counts[bin] = (double)split->histogram.counts[(size_t)c * HISTOGRAM_BINS + bin];
        team_sum(split->job->team, counts, HISTOGRAM_BINS);
        const char *name = json_string_value(json_array_get(split->scan.channels, (size_t)c));
        if (name)
            json_object_set_new(*constants, name, json_pack("{sf}", "median", histogram_median(counts)));
    }
    return 0;
}

static int report(struct split *split, const struct outcome *outcome, struct err *err)
{
    struct link *link = split->job->link;
    json_t *result = outcome_result(outcome), *part;
    const char *name;
    json_object_foreach(json_object_get(result, "parts"), name, part)
    {
        json_int_t bricks = json_integer_value(json_object_get(part, "bricks"));
        link_note(link, "%s: %lld examples of %lld brick%s", name,
                  (long long)json_integer_value(json_object_get(part, "examples")), (long long)bricks,
                  bricks == 1 ? "" : "s");
    }
    if (spec_real(split->job->spec, "valid") > 0 && split->plan.counts[DATASET_VALID] == 0)
        link_warning(link, "there is no validation part: %zu bricks give none that has both classes",
                     split->scan.brick_count);
    return link_result(link, result, err);
}

/* Rank 0's part when all shards are on disk. */
static int finish(struct split *split, json_t *constants, struct err *err)
{
    const struct outcome outcome = {split->out,   split->job->spec, &split->scan, &split->parts,
                                    &split->plan, split->shards,    constants};
    size_t twins = 0;
    batch_free(shuffle_batch(split->shuffle)); /* memory for what follows */
    int code = twins_check(split->aside, &split->plan, split->shuffle, buffer_bytes(split), &twins, err);
    if (twins && !code)
        link_warning(split->job->link, "%zu stamps are byte for byte another one's of their part", twins);
    if (!code)
        code = index_publish(split->out, split->aside, &split->plan, split->shuffle, err);
    if (!code)
        code = remove_aside(split->aside, err);
    if (!code)
        code = outcome_publish(&outcome, err);
    return code ? code : report(split, &outcome, err);
}

static int split_all(struct split *split, struct err *err)
{
    struct team *team = split->job->team;
    const bool first = team_rank(team) == 0;
    int code = prepare(split, err);
    if (!code && histogram_init(&split->histogram, split->plan.channels) != 0)
        code = err_set(err, -ENOMEM, "out of memory");
    if (!code)
        code = shuffle_all(split, err);
    if (code)
        return code;
    if (team_any(team, link_stop_asked(split->job->link)))
        return -ECANCELED;
    json_t *constants = NULL;
    code = collect_shards(split, err);
    if (!code)
        code = sum_normalisation(split, &constants, err);
    if (!code && first)
        code = finish(split, constants, err);
    json_decref(constants);
    return code;
}

int split_run(struct job *job, struct err *err)
{
    const char *out = spec_text(job->spec, "out");
    CLEANUP(split_free)
    struct split split = {.job = job, .out = out, .aside = path_join(out, ".split"), .shards = json_object()};
    int code = split_all(&split, err);
    if (code)
        remove_aside(split.aside, NULL);
    return code;
}
