/* The job `split`: cutout files of both classes to a dataset (dataset/dataset.h tells its files).
 *
 * Rank 0 scans the cutout files, gives bricks to parts (assign.c) and stamps to places (plan.c) and writes
 * index.h5 (index.c); every rank writes shards (shards.c), handed out one by one; rank 0 writes the manifest
 * when all is on disk. Without a manifest there is no dataset: it is the first to go when split starts again.
 * The bytes are a function of the cutout files and the fields, whatever the number of ranks. */
#include "daemon/worker/dataset/dataset.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/job.h"
#include "daemon/worker/split/assign.h"
#include "daemon/worker/split/index.h"
#include "daemon/worker/split/plan.h"
#include "daemon/worker/split/scan.h"
#include "daemon/worker/split/shards.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

static const char RULE[] =
    "whole bricks, all runs and both classes of a brick in one part; examples shuffled over their part";

struct split {
    struct job *job;
    const char *out;
    struct scan scan; /* rank 0 */
    uint8_t *parts;   /* of each brick; rank 0 */
    struct plan plan;
    struct histogram histogram; /* of this rank's training shards, then of all */
    json_t *shards;             /* {shard: its entry}: of this rank, then of all */
};

static void split_free(struct split *split)
{
    scan_free(&split->scan);
    free(split->parts);
    plan_free(&split->plan);
    histogram_free(&split->histogram);
    json_decref(split->shards);
}

/* A name that split gives, now or on its way there. */
static bool is_ours(const char *name)
{
    static const char *const PATTERNS[] = {"[xy]@(train|valid|test)_+([0-9]).npy",
                                           ".[xy]@(train|valid|test)_*.part", ".index.h5.*.part",
                                           ".manifest.json.*.part", ".column.*.part"};
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

/* What an earlier attempt left, its manifest first. */
static int remove_stale(const char *directory, struct err *err)
{
    int code = remove_file(directory, "manifest.json", err);
    if (!code)
        code = remove_file(directory, "index.h5", err);
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

static int assign(struct split *split, struct err *err)
{
    const struct scan *scan = &split->scan;
    const json_t *spec = split->job->spec;
    CLEANUP(free_ptr) size_t(*counts)[2] = calloc(scan->brick_count + 1, sizeof *counts);
    split->parts = calloc(scan->brick_count + 1, 1);
    if (!counts || !split->parts)
        return err_set(err, -ENOMEM, "out of memory for %zu bricks", scan->brick_count);
    for (size_t s = 0; s < scan->source_count; s++)
        counts[scan->sources[s].brick][scan->sources[s].label] += scan->sources[s].count;
    return assign_bricks((const size_t(*)[2])counts, scan->brick_count, spec_real(spec, "test"),
                         spec_real(spec, "valid"), (uint64_t)spec_int(spec, "seed"), split->parts, err);
}

/* Rank 0's part before the others can begin. */
static int prepare(struct split *split, struct err *err)
{
    const json_t *spec = split->job->spec;
    const char *cutouts = spec_text(spec, "cutouts");
    int code = path_make_directories(split->out, 0777, err);
    if (!code)
        code = remove_stale(split->out, err);
    if (!code)
        code = scan_cutouts(&split->scan, cutouts, err);
    if (code)
        return code;
    code = assign(split, err);
    if (!code)
        code = plan_make(&split->plan, &split->scan, split->parts, spec_bool(spec, "balance"),
                         (uint64_t)spec_int(spec, "seed"), (size_t)spec_int(spec, "shard"), err);
    return code ? err_prefix(err, "%s", cutouts) : 0;
}

/* Shards until none is left. A rank asked to stop goes on asking, so that the others get their answers. */
static int write_shards(struct split *split, struct err *err)
{
    struct job *job = split->job;
    const long shards = (long)plan_shard_count(&split->plan);
    double done = 0;
    int code = 0;
    for (long i; (i = team_claim(job->team, shards)) < shards;) {
        if (code || link_stop_asked(job->link))
            continue;
        json_t *entry;
        code = shard_publish(split->out, &split->plan, (size_t)i, &split->histogram, &entry, err);
        if (code) {
            if (team_size(job->team) > 1)
                return code; /* ends the other ranks too */
            continue;
        }
        char name[24];
        snprintf(name, sizeof name, "%ld", i);
        json_object_set_new(split->shards, name, entry);
        done += (double)plan_shard(&split->plan, (size_t)i).count;
        link_progress(job->link, done, (double)split->plan.total, "examples");
    }
    return code;
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

static json_t *describe_part(const struct split *split, int part)
{
    const struct plan *plan = &split->plan;
    json_t *bricks = json_array();
    for (size_t b = 0; b < split->scan.brick_count; b++) {
        if (split->parts[b] == part)
            json_array_append_new(bricks, json_string(split->scan.bricks[b]));
    }
    return json_pack("{sI sI sI s{sI sI} so}", "examples", (json_int_t)plan->counts[part], "real",
                     (json_int_t)plan->kept[part][CLASS_REAL], "fake",
                     (json_int_t)plan->kept[part][CLASS_FAKE], "dropped", "real",
                     (json_int_t)plan->dropped[part][CLASS_REAL], "fake",
                     (json_int_t)plan->dropped[part][CLASS_FAKE], "bricks", bricks);
}

static json_t *describe_parts(const struct split *split)
{
    json_t *parts = json_object();
    for (int part = 0; part < DATASET_PART_MAX; part++)
        json_object_set_new(parts, dataset_part_name((enum dataset_part)part), describe_part(split, part));
    return parts;
}

static int describe_index(const char *directory, json_t **entry, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "index.h5");
    struct stat status;
    uint64_t checksum;
    int code = file_checksum(path, &checksum, err);
    if (code)
        return code;
    if (stat(path, &status) != 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    char digits[17];
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)checksum);
    *entry = json_pack("{sI ss}", "bytes", (json_int_t)status.st_size, "xxh3", digits);
    return 0;
}

/* Takes constants. */
static int publish_manifest(struct split *split, json_t *constants, struct err *err)
{
    const json_t *spec = split->job->spec;
    CLEANUP(free_ptr) char *path = path_join(split->out, "manifest.json");
    json_t *index = NULL;
    int code = describe_index(split->out, &index, err);
    json_t *manifest = json_pack(
        "{si ss sI ss s[ss] si sI sO s{sf sf} sb so so sO sO* sO so*}", "v", 1, "decoy", DECOY_VERSION,
        "seed", (json_int_t)spec_int(spec, "seed"), "rule", RULE, "classes", CLASS_NAMES[CLASS_REAL],
        CLASS_NAMES[CLASS_FAKE], "stamp", split->plan.stamp, "shard_examples",
        (json_int_t)split->plan.shard_examples, "channels", split->scan.channels, "fractions", "test",
        spec_real(spec, "test"), "valid", spec_real(spec, "valid"), "balance", spec_bool(spec, "balance"),
        "parts", describe_parts(split), "normalisation", constants, "provenance", split->scan.provenance,
        "selection", split->scan.selection, "shards", split->shards, "index", index);
    if (!code && !manifest)
        code = err_set(err, -ENOMEM, "out of memory for %s", path);
    if (!code)
        code = json_publish_file(path, manifest, err);
    json_decref(manifest);
    return code;
}

static int report(struct split *split, struct err *err)
{
    struct link *link = split->job->link;
    const struct plan *plan = &split->plan;
    json_t *parts = describe_parts(split), *part;
    const char *name;
    json_object_foreach(parts, name, part)
    {
        size_t bricks = json_array_size(json_object_get(part, "bricks"));
        json_object_set_new(part, "bricks", json_integer((json_int_t)bricks));
        link_note(link, "%s: %lld examples of %zu brick%s", name,
                  (long long)json_integer_value(json_object_get(part, "examples")), bricks,
                  bricks == 1 ? "" : "s");
    }
    if (spec_real(split->job->spec, "valid") > 0 && plan->counts[DATASET_VALID] == 0)
        link_warning(link, "there is no validation part: %zu bricks give none that has both classes",
                     split->scan.brick_count);
    json_t *result = json_pack("{so sI sI sI}", "parts", parts, "examples", (json_int_t)plan->total, "stamps",
                               (json_int_t)split->scan.total, "shards", (json_int_t)plan_shard_count(plan));
    return link_result(link, result, err);
}

int split_run(struct job *job, struct err *err)
{
    CLEANUP(split_free)
    struct split split = {.job = job, .out = spec_text(job->spec, "out"), .shards = json_object()};
    const bool first = team_rank(job->team) == 0;
    int code = first ? prepare(&split, err) : 0;
    if (!code)
        code = plan_share(&split.plan, job->team, err);
    if (!code && histogram_init(&split.histogram, split.plan.channels) != 0)
        code = err_set(err, -ENOMEM, "out of memory");
    if (!code && first)
        code = index_publish(split.out, &split.scan, &split.plan, err);
    if (!code)
        code = write_shards(&split, err);
    if (code)
        return code;
    if (team_any(job->team, link_stop_asked(job->link)))
        return -ECANCELED;
    json_t *constants = NULL;
    code = collect_shards(&split, err);
    if (!code)
        code = sum_normalisation(&split, &constants, err);
    if (!code && first)
        code = publish_manifest(&split, json_incref(constants), err);
    json_decref(constants);
    return !code && first ? report(&split, err) : code;
}
