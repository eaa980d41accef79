/* See audit.h: which stamps are measured, and what the index says of them.
 *
 * Whole shards are measured, evenly spread over those there are, until the next one would exceed the sample: shards
 * are shuffled over all bricks, so they stand for the others. */
#include "common/str.h"
#include "daemon/worker/audit/audit.h"
#include "daemon/worker/statistics/auc.h"
#include "daemon/worker/statistics/distribution.h"
#include "proto/spec.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define FAMILY 0.01

/* Every shard, or as many as fit into the sample, evenly spread: shard i is chosen where i n / count steps up. */
static int choose_spans(struct audit *audit, size_t most, struct err *err)
{
    const size_t count = dataset_shard_count(audit->dataset),
                 full = count ? dataset_shard(audit->dataset, 0).count : 1;
    size_t wanted = most == 0 || audit->total <= most ? count : most / full;
    wanted = wanted < 1 ? 1 : wanted < count ? wanted : count;
    audit->spans = calloc(count + 1, sizeof *audit->spans);
    if (!audit->spans)
        return err_set(err, -ENOMEM, "out of memory for %zu shards", count);
    for (size_t i = 0; i < count; i++) {
        if ((i + 1) * wanted / count == i * wanted / count)
            continue;
        struct span *span = &audit->spans[audit->span_count++];
        *span = (struct span){.shard = dataset_shard(audit->dataset, i), .at = audit->count};
        audit->count += span->shard.count;
    }
    return 0;
}

static int make_room(struct audit *audit, struct err *err)
{
    const size_t rings = 2 * BANDS_MAX * RINGS;
    audit->measures = calloc(audit->count + 1, sizeof *audit->measures);
    audit->labels = calloc(audit->count + 1, 1);
    audit->parts = calloc(audit->count + 1, 1);
    audit->rings = calloc(rings, sizeof *audit->rings);
    audit->ring_counts = calloc(rings, sizeof *audit->ring_counts);
    if (!audit->measures || !audit->labels || !audit->parts || !audit->rings || !audit->ring_counts)
        return err_set(err, -ENOMEM, "the measures of %zu stamps do not fit in memory: give a smaller sample",
                       audit->count);
    int code = 0;
    for (size_t s = 0; s < audit->span_count && !code; s++) {
        const struct dataset_shard *shard = &audit->spans[s].shard;
        const size_t at = audit->spans[s].at;
        code =
            dataset_labels(audit->dataset, shard->part, shard->first, shard->count, audit->labels + at, err);
        memset(audit->parts + at, shard->part, shard->count);
    }
    return code;
}

int sample_open(struct audit *audit, struct err *err)
{
    const char *names[DATASET_CHANNELS_MAX];
    const struct team *team = audit->job->team;
    int code = dataset_open(&audit->dataset, audit->directory, err);
    if (!code)
        code = dataset_check(audit->dataset, (size_t)team_rank(team), (size_t)team_size(team), err);
    if (code)
        return code;
    const int channels = dataset_channels(audit->dataset);
    for (int c = 0; c < channels; c++)
        names[c] = dataset_channel_name(audit->dataset, c);
    code = layout_make(&audit->layout, dataset_stamp(audit->dataset), channels, names, err);
    if (code)
        return err_prefix(err, "%s", audit->directory);
    for (int p = 0; p < DATASET_PART_MAX; p++)
        audit->total += dataset_count(audit->dataset, (enum dataset_part)p);
    code = choose_spans(audit, (size_t)spec_int(audit->job->spec, "sample"), err);
    return code ? code : make_room(audit, err);
}

void sample_close(struct audit *audit)
{
    layout_free(&audit->layout);
    dataset_close(audit->dataset);
    free(audit->spans);
    free(audit->measures);
    free(audit->labels);
    free(audit->parts);
    free(audit->bricks);
    free(audit->rings);
    free(audit->ring_counts);
}

/* The rows of the spans out of a part's whole column. */
static void pick_rows(const struct audit *audit, enum dataset_part part, const void *column, size_t width,
                      void *values)
{
    for (size_t s = 0; s < audit->span_count; s++) {
        const struct span *span = &audit->spans[s];
        if (span->shard.part == part)
            memcpy((char *)values + span->at * width, (const char *)column + span->shard.first * width,
                   span->shard.count * width);
    }
}

int audit_column(const struct audit *audit, const char *name, double *values, struct err *err)
{
    int code = 0;
    for (int p = 0; p < DATASET_PART_MAX && !code; p++) {
        const size_t count = dataset_count(audit->dataset, (enum dataset_part)p);
        CLEANUP(free_ptr) double *column = calloc(count + 1, sizeof *column);
        if (!column)
            return err_set(err, -ENOMEM, "column %s does not fit in memory", name);
        code = count ? dataset_column(audit->dataset, (enum dataset_part)p, name, column, err) : 0;
        if (!code)
            pick_rows(audit, (enum dataset_part)p, column, sizeof *column, values);
    }
    return code;
}

enum { NAME_WIDTH = 24 };

static int read_names(const struct audit *audit, char *names, struct err *err)
{
    int code = 0;
    for (int p = 0; p < DATASET_PART_MAX && !code; p++) {
        const size_t count = dataset_count(audit->dataset, (enum dataset_part)p);
        CLEANUP(free_ptr) char *column = calloc(count + 1, NAME_WIDTH);
        if (!column)
            return err_set(err, -ENOMEM, "the bricks of %zu stamps do not fit in memory", count);
        code = count ? dataset_text_column(audit->dataset, (enum dataset_part)p, "brickname", NAME_WIDTH,
                                           column, err)
                     : 0;
        if (!code)
            pick_rows(audit, (enum dataset_part)p, column, NAME_WIDTH, names);
    }
    return code;
}

static int compare_names(const void *a, const void *b)
{
    return memcmp(*(char *const *)a, *(char *const *)b, NAME_WIDTH);
}

int sample_read_bricks(struct audit *audit, struct err *err)
{
    CLEANUP(free_ptr) char *names = calloc(audit->count + 1, NAME_WIDTH);
    CLEANUP(free_ptr) char **sorted = calloc(audit->count + 1, sizeof *sorted);
    audit->bricks = calloc(audit->count + 1, sizeof *audit->bricks);
    if (!names || !sorted || !audit->bricks)
        return err_set(err, -ENOMEM, "the bricks of %zu stamps do not fit in memory", audit->count);
    int code = read_names(audit, names, err);
    if (code) {
        free(TAKE(audit->bricks));
        return code == -ENOENT ? 0 : code;
    }
    for (size_t i = 0; i < audit->count; i++)
        sorted[i] = names + i * NAME_WIDTH;
    qsort(sorted, audit->count, sizeof *sorted, compare_names);
    for (size_t i = 0; i < audit->count; i++) {
        audit->brick_count += i == 0 || memcmp(sorted[i], sorted[i - 1], NAME_WIDTH) != 0;
        audit->bricks[(size_t)(sorted[i] - names) / NAME_WIDTH] = (uint32_t)audit->brick_count - 1;
    }
    return 0;
}

void audit_set_rate(struct audit *audit)
{
    audit->comparisons = COMPARISONS + COMPARISONS_BAND * audit->layout.bands;
    audit->alpha = FAMILY / audit->comparisons;
    audit->errors = normal_quantile(1 - audit->alpha / 2);
    if (audit->bricks && audit->brick_count >= AUC_LEAST_CLUSTERS)
        audit->errors = student_quantile(1 - audit->alpha / 2, (double)audit->brick_count - 1);
}
