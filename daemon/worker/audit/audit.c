/* See audit.h. Every rank measures shards' worth of stamps and verifies files, handed out one by one; rank 0
 * gets a row for each stamp (112 bytes) and does the checks. Sums over stamps are of whole numbers, so that
 * they come out the same for any number of ranks. */
#include "daemon/worker/audit/audit.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

static audit_check *const CHECKS[] = {
    check_integrity, check_counts, check_overlap,    check_duplicates, check_headers, check_placement,
    check_fractions, check_invvar, check_background, check_noise,      check_texture, check_selection,
};

#define RING_UNIT (1.0 / 65536) /* of relative invvar: the sums are whole multiples of it */

static void audit_free(struct audit *audit)
{
    layout_free(&audit->layout);
    dataset_close(audit->dataset);
    free(audit->measures);
    free(audit->labels);
    free(audit->parts);
    free(audit->rings);
    free(audit->ring_counts);
    json_decref(audit->checks);
}

int check_add(struct audit *audit, const struct check *check, const char *format, ...)
{
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    const bool warn = !(check->value <= check->threshold);
    json_t *value = isfinite(check->value) ? json_real(check->value) : json_null();
    json_t *error = isfinite(check->error) ? json_real(check->error) : json_null();
    json_t *plot = check->plotted ? json_sprintf("%s.png", check->name) : json_null();
    json_t *row = json_pack("{ss so so sf ss ss ss so}", "name", check->name, "value", value, "error", error,
                            "threshold", check->threshold, "unit", check->unit, "status",
                            warn ? "warn" : "pass", "sentence", sentence, "plot", plot);
    return json_array_append_new(audit->checks, row) == 0 ? 0 : -ENOMEM;
}

int audit_plot(const struct audit *audit, const char *name, const struct plot_table *tables, size_t count,
               const char *script, struct err *err)
{
    int code = plot_publish(audit->out, name, tables, count, script, err);
    return code == -ENOENT && !audit->plotting ? 0 : code;
}

int audit_column(const struct audit *audit, const char *name, double *values, struct err *err)
{
    int code = 0;
    size_t first = 0;
    for (int p = 0; p < DATASET_PART_MAX && !code; p++) {
        size_t count = dataset_count(audit->dataset, (enum dataset_part)p);
        if (count)
            code = dataset_column(audit->dataset, (enum dataset_part)p, name, values + first, err);
        first += count;
    }
    return code;
}

static int open_all(struct audit *audit, struct err *err)
{
    int code = dataset_open(&audit->dataset, audit->directory, err);
    if (code)
        return code;
    const char *names[DATASET_CHANNELS_MAX];
    const int channels = dataset_channels(audit->dataset);
    for (int c = 0; c < channels; c++)
        names[c] = dataset_channel_name(audit->dataset, c);
    code = layout_make(&audit->layout, dataset_stamp(audit->dataset), channels, names, err);
    if (code)
        return err_prefix(err, "%s", audit->directory);
    for (int p = 0; p < DATASET_PART_MAX; p++)
        audit->count += dataset_count(audit->dataset, (enum dataset_part)p);
    audit->measures = calloc(audit->count + 1, sizeof *audit->measures);
    audit->labels = calloc(audit->count + 1, 1);
    audit->parts = calloc(audit->count + 1, 1);
    audit->rings = calloc(2 * BANDS_MAX * RINGS, sizeof *audit->rings);
    audit->ring_counts = calloc(2 * BANDS_MAX * RINGS, sizeof *audit->ring_counts);
    if (!audit->measures || !audit->labels || !audit->parts || !audit->rings || !audit->ring_counts)
        return err_set(err, -ENOMEM, "the measures of %zu stamps do not fit in memory", audit->count);
    size_t at = 0;
    for (int p = 0; p < DATASET_PART_MAX; p++) {
        for (size_t i = 0; i < dataset_count(audit->dataset, (enum dataset_part)p); i++, at++) {
            audit->labels[at] = dataset_label(audit->dataset, (enum dataset_part)p, i);
            audit->parts[at] = (uint8_t)p;
        }
    }
    return 0;
}

static void add_rings(struct audit *audit, int label, const float rings[BANDS_MAX][RINGS])
{
    for (int b = 0; b < audit->layout.bands; b++) {
        for (int r = 0; r < RINGS; r++) {
            const size_t at = ((size_t)label * BANDS_MAX + (size_t)b) * RINGS + (size_t)r;
            if (!isfinite(rings[b][r]))
                continue;
            audit->rings[at] += rint((rings[b][r] > 8 ? 8 : rings[b][r]) / RING_UNIT);
            audit->ring_counts[at] += 1;
        }
    }
}

/* The examples of a shard: of their part from `first` on, of all from `at` on. */
struct span {
    enum dataset_part part;
    size_t k, first, count, at;
};

static int measure_span(struct audit *audit, const struct span *span, struct err *err)
{
    CLEANUP(free_ptr)
    float *scratch = calloc((size_t)audit->layout.side * (size_t)audit->layout.side, sizeof *scratch);
    float rings[BANDS_MAX][RINGS];
    if (!scratch)
        return err_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < span->count; i++) {
        const float *pixels = dataset_pixels(audit->dataset, span->part, span->first + i);
        measure_stamp(&audit->layout, pixels, scratch, &audit->measures[span->at + i], rings);
        add_rings(audit, audit->labels[span->at + i], (const float(*)[RINGS])rings);
    }
    return 0;
}

/* One more file that is not what the manifest says, or none. */
static int verify_file(struct audit *audit, const char *path, const json_t *entry, struct err *err)
{
    uint64_t checksum;
    char digits[17];
    int code = file_checksum(path, &checksum, err);
    if (code)
        return code;
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)checksum);
    const char *wanted = json_string_value(json_object_get(entry, "xxh3"));
    if (wanted && strcmp(wanted, digits) == 0)
        return 0;
    link_warning(audit->job->link, "%s is not the file that split wrote: its checksum differs", path);
    audit->damaged++;
    return 0;
}

static int verify_shard(struct audit *audit, const json_t *shard, const struct span *span, struct err *err)
{
    static const char *const WHICH[] = {"x", "y"};
    int code = 0;
    for (int w = 0; w < 2 && !code; w++) {
        CLEANUP(free_ptr) char *path = dataset_file(audit->dataset, *WHICH[w], span->part, span->k);
        code = verify_file(audit, path, json_object_get(shard, WHICH[w]), err);
    }
    return code;
}

static struct span span_of(const struct audit *audit, const json_t *shard)
{
    struct span span = {.k = (size_t)json_integer_value(json_object_get(shard, "k"))};
    const char *name = json_string_value(json_object_get(shard, "part"));
    const json_t *full = json_object_get(dataset_manifest(audit->dataset), "shard_examples");
    span.first = (span.k - 1) * (size_t)json_integer_value(full);
    span.count = (size_t)json_integer_value(json_object_get(shard, "examples"));
    span.at = span.first;
    for (; strcmp(dataset_part_name(span.part), name) != 0; span.part++)
        span.at += dataset_count(audit->dataset, span.part);
    return span;
}

/* Shards as they are handed out; taken[i] of those that this rank measured. */
static int measure_shards(struct audit *audit, const json_t *shards, bool *taken, struct err *err)
{
    struct job *job = audit->job;
    const long count = (long)json_array_size(shards);
    double done = 0;
    int code = 0;
    for (long i; (i = team_claim(job->team, count)) < count;) {
        if (code || link_stop_asked(job->link))
            continue;
        const json_t *shard = json_array_get(shards, (size_t)i);
        const struct span span = span_of(audit, shard);
        taken[i] = true;
        code = verify_shard(audit, shard, &span, err);
        if (!code)
            code = measure_span(audit, &span, err);
        if (code && team_size(job->team) > 1)
            return code; /* ends the other ranks too */
        done += (double)span.count;
        link_progress(job->link, done, (double)audit->count, "examples");
    }
    return code;
}

/* All ranks' measures to rank 0: shard by shard, and a number past the last one to end with. */
static void collect_measures(struct audit *audit, const json_t *shards, const bool *taken)
{
    struct team *team = audit->job->team;
    const size_t count = json_array_size(shards);
    for (size_t i = 0; i <= count && team_rank(team) > 0; i++) {
        if (i < count && !taken[i])
            continue;
        team_send(team, &i, sizeof i, 0);
        const struct span span = i < count ? span_of(audit, json_array_get(shards, i)) : (struct span){0};
        team_send(team, audit->measures + span.at, span.count * sizeof *audit->measures, 0);
    }
    for (int rank = 1; rank < team_size(team) && team_rank(team) == 0; rank++) {
        for (size_t i = 0; i < count;) {
            team_receive(team, &i, sizeof i, rank);
            const struct span span = i < count ? span_of(audit, json_array_get(shards, i)) : (struct span){0};
            team_receive(team, audit->measures + span.at, span.count * sizeof *audit->measures, rank);
        }
    }
    double damaged = (double)audit->damaged;
    team_sum(team, &damaged, 1);
    audit->damaged = (size_t)damaged;
    team_sum(team, audit->rings, 2 * BANDS_MAX * RINGS);
    team_sum(team, audit->ring_counts, 2 * BANDS_MAX * RINGS);
    for (size_t i = 0; i < 2 * BANDS_MAX * RINGS; i++)
        audit->rings[i] *= RING_UNIT;
}

/* What a person is told: the warnings, each a line. Fresh memory. */
static char *tell(const struct audit *audit, size_t warnings)
{
    char *text = NULL;
    size_t size, i;
    json_t *check;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        abort();
    fprintf(stream, "%zu checks of %zu stamps, %zu warning%s: %s\n", json_array_size(audit->checks), audit->count,
            warnings, warnings == 1 ? "" : "s", audit->out);
    json_array_foreach(audit->checks, i, check)
    {
        if (strcmp(json_string_value(json_object_get(check, "status")), "pass") != 0)
            fprintf(stream, "%s: %s\n", json_string_value(json_object_get(check, "name")),
                    json_string_value(json_object_get(check, "sentence")));
    }
    fclose(stream);
    return text;
}

static int publish(struct audit *audit, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(audit->out, "audit.json");
    json_t *check, *warned = json_array();
    size_t i, fakes = 0;
    json_array_foreach(audit->checks, i, check)
    {
        const char *name = json_string_value(json_object_get(check, "name"));
        if (strcmp(json_string_value(json_object_get(check, "status")), "pass") == 0)
            continue;
        json_array_append_new(warned, json_string(name));
        if (audit->job->id) /* a tool tells them in its text */
            link_warning(audit->job->link, "%s: %s", name,
                         json_string_value(json_object_get(check, "sentence")));
    }
    for (size_t s = 0; s < audit->count; s++)
        fakes += audit->labels[s];
    json_t *file = json_pack("{si s{sI sI} sI sO}", "v", 1, "stamps", "real",
                             (json_int_t)(audit->count - fakes), "fake", (json_int_t)fakes, "warnings",
                             (json_int_t)json_array_size(warned), "checks", audit->checks);
    int code =
        file ? json_publish_file(path, file, err) : err_set(err, -ENOMEM, "out of memory for %s", path);
    CLEANUP(free_ptr) char *text = tell(audit, json_array_size(warned));
    json_t *result = json_pack("{ss sI sI so}", "text", text, "checks", (json_int_t)json_array_size(audit->checks), "warnings",
                               (json_int_t)json_array_size(warned), "warned", warned);
    json_decref(file);
    if (!code)
        return link_result(audit->job->link, result, err);
    json_decref(result);
    return code;
}

/* Rank 0's part once all is measured. */
static int conclude(struct audit *audit, struct err *err)
{
    audit->plotting = plot_possible();
    if (!audit->plotting)
        link_warning(audit->job->link,
                     "gnuplot cannot be run: there are no plots, only their data and scripts");
    int code = path_make_directories(audit->out, 0777, err);
    for (size_t i = 0; i < sizeof CHECKS / sizeof *CHECKS && !code; i++)
        code = CHECKS[i](audit, err);
    if (!code)
        code = publish(audit, err);
    return code;
}

int audit_run(struct job *job, struct err *err)
{
    CLEANUP(audit_free) struct audit audit = {.job = job, .checks = json_array()};
    audit.out = spec_text(job->spec, "out");
    audit.directory = spec_text(job->spec, "dataset");
    int code = open_all(&audit, err);
    if (code)
        return code;
    const json_t *shards = json_object_get(dataset_manifest(audit.dataset), "shards");
    CLEANUP(free_ptr) bool *taken = calloc(json_array_size(shards) + 1, sizeof *taken);
    code = taken ? measure_shards(&audit, shards, taken, err) : err_set(err, -ENOMEM, "out of memory");
    if (code)
        return code;
    if (team_any(job->team, link_stop_asked(job->link)))
        return -ECANCELED;
    collect_measures(&audit, shards, taken);
    code = team_rank(job->team) == 0 ? conclude(&audit, err) : 0;
    team_barrier(job->team);
    return code;
}
